"""Writers killed at a random moment, and what is there afterwards."""

import contextlib
import multiprocessing
import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.orphans import find_orphans, remove_orphans
from tests.robustness.writing import (
    BATCHES,
    MODES,
    Content,
    Job,
    content,
    newest,
    token,
    write,
)

PARTITIONS = ("a b", "100%", "ü")
COMMITTED = BATCHES + 1
BATCH_S = 0.003  # to make a batch and take it
POLL_S = 0.0005
LOG = re.compile(r"\d{20}([.]checkpoint.*)?[.](json|parquet)|_last_checkpoint")


class Moment(NamedTuple):
    """When a writer is killed: so long after it was so far.

    Attributes:
        said: The batch that it is about to make; `BATCHES`: it has no more; None: it
            has begun a file.
    """

    said: int | None
    delay_s: float


class Outcome(NamedTuple):
    """What a killed write left, and what came after it.

    Attributes:
        committed: Whether the killed write is in the table.
        versions: That it and the next run have made.
        half: Those of them that do not hold what their write should have made.
        orphans: Data files of the killed write that maintenance found.
        left_over: Data files that no version names, once maintenance has removed them.
        in_log: Files in the log's directory that are no part of it.
    """

    mode: str
    moment: Moment
    committed: bool
    versions: int
    half: int
    next_run_succeeded: bool
    orphans: int
    removed: int
    left_over: int
    in_log: int

    @property
    def phase(self) -> str:
        """How far the write had come, by what it left."""
        if self.committed:
            return "committed"
        return "files, no commit" if self.orphans else "no file yet"


class Table:
    """A table whose writers are killed; it knows what each version has to hold.

    Args:
        place: Where it is; nobody else writes there.
        mode: How it is written.
        chance: Decides who is killed when.
    """

    def __init__(self, place: Location, mode: str, chance: random.Random) -> None:
        self._place = place
        self._mode = mode
        self._chance = chance
        self._jobs: dict[str, Job] = {}
        self._version = -1
        self._content: Content = frozenset()
        self._named: set[str] = set()

    def kill(self, commit_s: float) -> Outcome:
        """Kill a writer, judge what it left, run the next one, and clean up.

        Args:
            commit_s: How long a write takes after its last batch, about.
        """
        moment, killed, following = self._moment(commit_s), self._job(), self._job()
        kill_writer(killed, moment)
        before = self._judged()
        write(following)
        after = self._judged()
        found = {entry.path for entry in find_orphans(self._place, older_than_hours=0)}
        done = remove_orphans(self._place, older_than_hours=0)
        return Outcome(
            mode=self._mode,
            moment=moment,
            committed=killed.token in before,
            versions=len(before) + len(after),
            half=[*before.values(), *after.values()].count(False),
            next_run_succeeded=after.get(following.token, False)
            and content(self._place) == self._content,
            orphans=len(found),
            removed=int(done.metrics["files_removed"]),
            left_over=len(set(data_files(self._place)) - self._named),
            in_log=len(strangers_in_log(self._place)),
        )

    def _moment(self, commit_s: float) -> Moment:
        """Return one in the stream, in the files or after the stream, equally often."""
        said = self._chance.choice((self._chance.randrange(BATCHES), None, BATCHES))
        longest = 1.5 * commit_s if said == BATCHES else BATCH_S
        return Moment(said, self._chance.uniform(0, longest))

    def _job(self) -> Job:
        job = Job(
            place=self._place,
            mode=self._mode,
            k=self._chance.choice(PARTITIONS),
            token=f"{self._chance.getrandbits(64):x}",
        )
        self._jobs[job.token] = job
        return job

    def _judged(self) -> dict[str | None, bool]:
        """Return the tokens of the new versions, and whether each is whole."""
        versions = range(self._version + 1, newest(self._place) + 1)
        return {token(self._place, v): self._is_whole(v) for v in versions}

    def _is_whole(self, version: int) -> bool:
        """Whether a version has exactly what its write should have made of it."""
        said = token(self._place, version)
        if said is not None:  # else it is the creation of the empty table
            job = self._jobs[said]
            self._content = MODES[self._mode].after(self._content, job)
        self._version = version
        table = open_table(self._place, version)
        assert table is not None
        self._named |= {Path(uri).name for uri in table.file_uris()}
        return content(self._place, version) == self._content


def data_files(place: Location) -> Iterator[str]:
    """Yield the names of all data files, also of those that are not finished."""
    return (path.name for path in Path(place.uri).rglob("*.parquet*"))


def strangers_in_log(place: Location) -> list[str]:
    """Return the names of files in the log's directory that are no part of it."""
    there = (path.name for path in Path(place.uri, "_delta_log").iterdir())
    return [name for name in there if not LOG.fullmatch(name)]


def kill_writer(job: Job, moment: Moment) -> None:
    """Start a writer in a process of its own, and kill it."""
    before = set(data_files(job.place))
    with writer(job) as said:
        if moment.said is None:
            while before.issuperset(data_files(job.place)):
                time.sleep(POLL_S)
        else:
            while said() < moment.said:
                pass
        time.sleep(moment.delay_s)


def commit_seconds(place: Location, mode: str) -> float:
    """Measure how long the second write of a table takes after its last batch."""
    taken = 0.0
    for each in ("first", "second"):
        with writer(Job(place, mode, PARTITIONS[0], each)) as said:
            while said() < BATCHES:
                pass
            started = time.perf_counter()
            assert said() == COMMITTED
            taken = time.perf_counter() - started
    return taken


@contextlib.contextmanager
def writer(job: Job) -> Iterator[Callable[[], int]]:
    """Write in a process of its own, which is killed at the end of the block.

    Yields:
        Waits until the writer says how far it is: the number of its batch, `BATCHES`
        when it has no more, `COMMITTED`.
    """
    context = multiprocessing.get_context("forkserver")
    # Imported once, by the process that all of these are forked from.
    context.set_forkserver_preload(["tests.robustness.writing"])
    listening, saying = context.Pipe(duplex=False)
    process = context.Process(target=_write, args=(job, saying))
    process.start()
    saying.close()
    with listening:
        try:
            yield listening.recv
        finally:
            process.kill()
            process.join()


def _write(job: Job, saying: Connection) -> None:
    write(job, saying.send)
    saying.send(COMMITTED)
    signal.pause()  # whoever started this one kills it
