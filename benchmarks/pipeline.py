"""Daily partitions by this project and by the others that have them.

    python -m benchmarks.pipeline --days 365 --rounds 7 --scratch DIR

Two assets, rows and their totals, with a partition a day: a run for each day, some days
again because data came late, all days in one run, and single rows asked for as a
dashboard does. Every round runs all arms in turn, each in a process and an environment
of its own. What is told are the seconds of this project, and of the others the ratios
to it, round by round; what an arm cannot do, or does wrong, is told with its own words.
"""

import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.arms import Arm, Told, arms, arms_parser, runs_in_turn
from benchmarks.conformance import table
from benchmarks.harness import keep, machine, write_part

DAILY = Path(__file__).with_name("daily")
RUN = "benchmarks.daily.run"
FAILED = "failed"


def cell(mine: Sequence[Told], ours: Sequence[Told], part: str) -> str:
    """Return the ratios of the wall and the CPU time of a part to ours.

    Of ours, that is the seconds themselves.
    """
    if any(FAILED in run[part] for run in (*mine, *ours)):
        return FAILED
    wall, cpu = (
        [
            a[part][figure] / (1 if mine is ours else b[part][figure])
            for a, b in zip(mine, ours, strict=True)
        ]
        for figure in ("wall_s", "cpu_s")
    )
    unit = " s" if mine is ours else ""
    return f"{spread(wall)}{unit}, CPU {spread(cpu)}{unit}"


def spread(found: Sequence[float]) -> str:
    """Return the median of some figures, and the least and the greatest of them."""
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


def page(each: Sequence[Arm], runs: Mapping[str, Sequence[Told]], command: str) -> str:
    """Return the generated part of the page."""
    ours = runs[each[0].name]
    on = ", ".join(f"{name} {what}" for name, what in machine().items())
    parts = list(ours[0])
    rows = (
        [arm.shown, *(cell(runs[arm.name], ours, part) for part in parts)]
        for arm in each
    )
    told = [
        f"`{command}`, {len(ours)} rounds, on {on}:",
        "",
        *table(["", *parts], rows),
    ]
    return "\n".join([*told, "", *failures(each, runs), ""])


def failures(each: Sequence[Arm], runs: Mapping[str, Sequence[Told]]) -> Iterator[str]:
    """Yield what failed, as the arm said it in its first round."""
    for arm in each:
        for part, told in runs[arm.name][0].items():
            if FAILED in told:
                yield f"- {arm.shown}, {part}: `{told[FAILED]}`"


def main() -> None:
    """Measure, print, and keep."""
    parser = arms_parser(__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=365)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as nowhere:
        scratch = (given.scratch or Path(nowhere)).resolve()
        scratch.mkdir(parents=True, exist_ok=True)
        each = list(arms(DAILY, given.arms, scratch / "daily-environments"))
        runs = runs_in_turn(
            each, RUN, str(given.days), scratch=scratch, rounds=given.rounds
        )
    command = (
        f"python -m benchmarks.pipeline --days {given.days} --rounds {given.rounds}"
    )
    part = page(each, runs, command)
    print(part)
    if given.write:
        write_part(f"pipeline, {given.days} days", part)
        keep(f"pipeline of {given.days} days", {"command": command, "runs": runs})


if __name__ == "__main__":
    main()
