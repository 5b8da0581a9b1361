"""One table and many writers: what is measured with a few, and computed for many.

    python -m benchmarks.contention [--root URI] [--writers 1 2 4 8] [--commits 1000]

*Measured*: processes that commit to their own partitions of one table as fast as they
can, and what it costs to open and to write a table whose log grows, with checkpoints
and without. `--root` says where: a temporary directory, or an address that the
environment opens, whose tables are left there.

*Computed*: `simulate` plays the loop of a commit. It is held against the measured
writers, and then asked about 10, 100 and 1,000.
"""

import argparse
import heapq
import multiprocessing
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, product, repeat
from typing import NamedTuple

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from benchmarks.harness import interleaved, keep
from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.maintain import checkpoint
from dagster_dfsession.delta.predicate import In
from dagster_dfsession.delta.properties import Declared
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.errors import CommitError
from dagster_dfsession.profile.delta import DeltaProfile

EACH = 12
"""Commits of each writer, when writers are measured together."""
STORE_S = (0.02, 0.15)
"""An attempt on this machine's disk, and on an object store at 30 ms a request."""
TASK_S = (10, 60, 600)
MOST_RETRIES = 1000
RETRIES = DeltaProfile().max_commit_retries
ANY = Declared()
NO_CHECKPOINTS = Declared(properties={"delta.checkpointInterval": "1000000"})


class Played(NamedTuple):
    """What became of commits.

    Attributes:
        retries: Of each commit that got through, in order.
        failed: Commits that were given up.
        seconds: From the first to the last.
    """

    retries: Sequence[int]
    failed: int
    seconds: float

    @property
    def mean_retries(self) -> float:
        """Tries again of a commit, on average."""
        return statistics.mean(self.retries) if self.retries else 0.0


def simulate(
    writers: int,
    *,
    attempt_s: float,
    task_s: float = 0,
    each: int = 1,
    max_retries: int = RETRIES,
    seed: int = 0,
) -> Played:
    """Play writers that work, and then commit to one log until they get through.

    An attempt takes from half to one and a half times its mean, and fails if another
    one has succeeded since it began.

    Args:
        writers: So many, each for itself.
        attempt_s: Seconds of an attempt: read what is new, check it, put the commit.
        task_s: Seconds of work before each commit, on average; 0: all come at once.
        each: Commits of each writer.
        max_retries: After which a commit is given up.
        seed: Of the chances.

    Examples:
        >>> alone = simulate(1, attempt_s=0.1, task_s=1, each=10)
        >>> (alone.mean_retries, alone.failed)
        (0, 0)
        >>> simulate(100, attempt_s=0.1).failed > 50
        True
    """
    chance = random.Random(seed)  # noqa: S311  # nothing secret

    def attempt(begun: float, number: int, left: int) -> tuple[float, float, int, int]:
        return begun + attempt_s * chance.uniform(0.5, 1.5), begun, number, left

    def work() -> float:
        return chance.expovariate(1 / task_s) if task_s else 0.0

    # When an attempt ends and began, its number, commits that its writer has to make.
    running = [attempt(work(), 0, each) for _ in range(writers)]
    heapq.heapify(running)
    last, retries, failed, ended = -1.0, list[int](), 0, 0.0
    while running:
        ended, begun, number, left = heapq.heappop(running)
        if last > begun and number < max_retries:
            heapq.heappush(running, attempt(ended, number + 1, left))
            continue
        if last > begun:
            failed += 1
        else:
            retries.append(number)
            last = ended
        if left > 1:
            heapq.heappush(running, attempt(ended + work(), 0, left - 1))
    return Played(retries, failed, ended)


def request(place: Location, key: int, declared: Declared = ANY) -> WriteRequest:
    """Return a write of one small partition."""
    return WriteRequest(
        location=place,
        partitioned=True,
        predicate=In("k", (key,)),
        partition_by=("k",),
        declared=declared,
    )


def commit(place: Location, key: int, declared: Declared = ANY) -> int:
    """Commit a partition; return how many commits of others came in between."""
    rows = pa.table({"k": [key], "n": [0]}).to_reader()
    return write_table(request(place, key, declared), rows).retries


def commits_of(place: Location, key: int) -> tuple[list[int], int]:
    """Commit `EACH` times; return the retries of those that got through, and losses."""
    retries: list[int] = []
    for _ in range(EACH):
        try:
            retries.append(commit(place, key))
        except CommitError:
            continue
    return retries, EACH - len(retries)


def measure_writers(place: Location, writers: int) -> Played:
    """Let so many processes commit to one table at once, each to its partition."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dagster_dfsession.delta.write"])
    commit(place, 0)
    before = opened(place).version()
    with ProcessPoolExecutor(writers, mp_context=context) as pool:
        # Every process is there before the clock runs.
        list(pool.map(time.sleep, repeat(0.2, writers)))
        started = time.perf_counter()
        found = list(pool.map(commits_of, repeat(place, writers), range(writers)))
        seconds = time.perf_counter() - started
    retries = list(chain.from_iterable(each for each, _ in found))
    if opened(place).version() - before != len(retries):
        sys.exit(f"{place}: {len(retries)} commits were acknowledged, others are there")
    return Played(retries, sum(lost for _, lost in found), seconds)


def opened(place: Location) -> DeltaTable:
    """Open a table that is there."""
    table = open_table(place)
    if table is None:
        sys.exit(f"{place}: there is no table")
    return table


def costs_ms(place: Location) -> dict[str, float]:
    """Return the best of five, for opening a table and for committing a partition."""
    arms = {"open": lambda: opened(place), "commit": lambda: commit(place, 0)}
    taken = interleaved(arms, rounds=5)
    return {name: round(min(times.rounds), 1) for name, times in taken.items()}


def measure_log(place: Location, lengths: Sequence[int]) -> dict[str, dict[str, float]]:
    """Let a log grow; measure it at each length, then with a checkpoint at its end."""
    commit(place, 0, NO_CHECKPOINTS)
    found = {}
    for length in lengths:
        table = opened(place)
        for key in range(table.version(), length):
            rows = pa.table({"k": [key % 100], "n": [0]})
            write_deltalake(table, rows, mode="append")
        found[f"{length} commits"] = costs_ms(place)
    checkpoint(place)
    found[f"{lengths[-1]} commits, checkpoint"] = costs_ms(place)
    return found


def computed() -> dict[str, dict[str, float]]:
    """Return what 10, 100 and 1,000 writers of one table would meet."""
    rows = {}
    for attempt_s, writers in product(STORE_S, (10, 100, 1000)):
        at_once = {
            tries: simulate(writers, attempt_s=attempt_s, max_retries=tries)
            for tries in (RETRIES, MOST_RETRIES)
        }
        row: dict[str, float] = {
            "at once: lost": at_once[RETRIES].failed,
            f"by {MOST_RETRIES} tries": at_once[MOST_RETRIES].failed,
            "seconds": round(at_once[MOST_RETRIES].seconds, 1),
        }
        for task_s in TASK_S:
            played = simulate(writers, attempt_s=attempt_s, task_s=task_s, each=10)
            row[f"{task_s} s: retries"] = round(played.mean_retries, 2)
            row[f"{task_s} s: lost %"] = round(10 * played.failed / writers)
        rows[f"{writers} writers, {attempt_s * 1000:.0f} ms"] = row
    return rows


def show(title: str, rows: dict[str, dict[str, float]]) -> None:
    """Print a table."""
    columns = list(dict.fromkeys(chain.from_iterable(rows.values())))
    print(f"\n{title:32}" + "".join(f"{name:>{len(name) + 2}}" for name in columns))
    for name, row in rows.items():
        cells = (f"{row.get(column, ''):>{len(column) + 2}}" for column in columns)
        print(f"{name:32}" + "".join(cells))


def main() -> None:
    """Measure, compute, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root")
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--commits", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        root = f"{given.root or directory}/contention_{uuid.uuid4().hex[:8]}"
        together = {}
        alone_s = 0.0
        for writers in given.writers:
            met = measure_writers(Location(f"{root}/writers_{writers}"), writers)
            alone_s = alone_s or met.seconds / EACH
            played = simulate(writers, attempt_s=alone_s, each=EACH)
            together[f"{writers} writers"] = {
                "commits/s": round(len(met.retries) / met.seconds, 1),
                "retries": round(met.mean_retries, 2),
                "most": max(met.retries),
                "lost": met.failed,
                "computed retries": round(played.mean_retries, 2),
            }
        lengths = [n for n in (10, 100, 1000) if n < given.commits] + [given.commits]
        log = measure_log(Location(f"{root}/log"), lengths)
    show("measured", together)
    show("measured, ms", log)
    show("computed, one table", computed())
    if given.root is None:
        keep("contention", {"writers": together, "log ms": log, "many": computed()})


if __name__ == "__main__":
    main()
