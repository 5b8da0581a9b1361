"""Writers of Delta tables killed at random moments, and what they left.

    python -m benchmarks.kills [--kills N] [--seed N]

Each writer is a process that writes one token in 60,000 rows of several files through
`write_table`, killed in its stream or while it commits. Then every new version is read
back and compared with what its write should have made of the table, the next run
writes, and maintenance removes the orphans. It fails if a version is half, a next run
fails or a file is left over.
"""

import argparse
import collections
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import keep
from dagster_dfsession.delta.location import Location
from tests.robustness.killing import Outcome, Table, commit_seconds
from tests.robustness.writing import MODES

PHASES = ("no file yet", "files, no commit", "committed")


def kill(root: Path, mode: str, count: int, chance: random.Random) -> list[Outcome]:
    """Kill writers of one table, and of a new one for every fifth of them."""
    commit_s = commit_seconds(Location(str(root / "measured")), mode)
    found: list[Outcome] = []
    while len(found) < count:
        table = Table(Location(str(root / f"t{len(found)}")), mode, chance)
        found += [table.kill(commit_s) for _ in range(min(5, count - len(found)))]
    return found


def figures(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Count what the killed writers left."""
    phases = collections.Counter(outcome.phase for outcome in outcomes)
    return {
        "kills": len(outcomes),
        **{phase: phases[phase] for phase in PHASES},
        "versions": sum(outcome.versions for outcome in outcomes),
        "whole": sum(outcome.versions - outcome.half for outcome in outcomes),
        "half": sum(outcome.half for outcome in outcomes),
        "next runs": sum(outcome.next_run_succeeded for outcome in outcomes),
        "orphans": sum(outcome.orphans for outcome in outcomes),
        "removed": sum(outcome.removed for outcome in outcomes),
        "left over": sum(outcome.left_over for outcome in outcomes),
        "left in log": sum(outcome.in_log for outcome in outcomes),
    }


def main() -> None:
    """Kill, print what is counted, keep it; the exit code says whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    given = parser.parse_args()
    print(f"seed {given.seed}")
    chance = random.Random(given.seed)  # noqa: S311
    directory = Path(tempfile.mkdtemp(prefix="dfsession_kills_"))
    try:
        shares = {
            mode: len(range(at, given.kills, len(MODES)))
            for at, mode in enumerate(MODES)
        }
        found = {
            mode: kill(directory / mode, mode, share, chance)
            for mode, share in shares.items()
        }
    finally:
        shutil.rmtree(directory)
    every = [outcome for outcomes in found.values() for outcome in outcomes]
    rows = {mode: figures(each) for mode, each in found.items() if each}
    rows["all"] = figures(every)
    print(f"{'':10}" + "".join(f"{name:>{len(name) + 2}}" for name in rows["all"]))
    for mode, row in rows.items():
        print(f"{mode:10}" + "".join(f"{row[name]:>{len(name) + 2}}" for name in row))
    bad = [
        outcome
        for outcome in every
        if outcome.half
        or not outcome.next_run_succeeded
        or outcome.orphans != outcome.removed
        or outcome.left_over
    ]
    for outcome in bad:
        print(outcome)
    if bad:
        sys.exit(1)
    keep("kills", rows)


if __name__ == "__main__":
    main()
