"""The TPC-H graph by this project, by a script, and by other integrations.

    python -m benchmarks.peers --scale 1 --rounds 7 --scratch DIR

Eight raw tables and 22 answers; benchmarks/tpch/arms has what the user of each arm
writes. Every round runs all arms in turn, each in a process and an environment of its
own; a first round, which does not count, holds their answers against each other. What
is told are ratios to this project, round by round. The rows go into results.json, the
table into README.md.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.arms import (
    Arm,
    ArmFailedError,
    Told,
    arms,
    arms_parser,
    runs_in_turn,
    told_by,
)
from benchmarks.conformance import ROOT, table
from benchmarks.harness import keep, machine, write_part

TPCH = Path(__file__).with_name("tpch")
OURS, SCRIPT, BARE = "dfsession", "script", "dagster_alone"
FIGURES: Mapping[str, str] = {
    "wall_s": "wall time",
    "cpu_s": "CPU time",
    "peak_bytes": "peak memory",
    "disk_bytes": "on disk",
}
RUN = "benchmarks.tpch.run"


def compared(each: Iterable[Arm], graph: Path, scratch: Path) -> dict[str, str]:
    """Run every arm once; return what is wrong with those that do not answer alike.

    Raises:
        ArmFailedError: This project's arm ended with an error.
    """
    wrong, outs = {}, []
    for arm in each:
        out = scratch / arm.name
        try:
            told_by(arm, RUN, graph, out)
        except ArmFailedError as error:
            if arm.name == OURS:
                raise
            wrong[arm.name] = f"failed: {error}"
        else:
            outs.append(out)
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.tpch.answers", *outs],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in told.splitlines():
        name, _, what = line.partition(" ")
        wrong[name] = "; ".join(filter(None, [wrong.get(name), what]))
    return wrong


def ratio(mine: Sequence[Told], ours: Sequence[Told], figure: str) -> str:
    """Return the median of a figure's ratios to ours, with the least and the most."""
    ratios = [a[figure] / b[figure] for a, b in zip(mine, ours, strict=True)]
    low, high = min(ratios), max(ratios)
    return f"{statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})"


def page(
    each: Sequence[Arm],
    runs: Mapping[str, Sequence[Told]],
    wrong: Mapping[str, str],
    command: str,
) -> str:
    """Return the generated part of the page."""
    ours = runs[OURS]
    on = ", ".join(f"{name} {what}" for name, what in machine().items())
    lines = [
        f"`{command}`, {len(ours)} rounds, on {on}:",
        "",
        *table(
            ["", *FIGURES.values(), "lines"],
            (
                [
                    arm.shown,
                    *(ratio(runs[arm.name], ours, figure) for figure in FIGURES),
                    str(arm.lines),
                ]
                for arm in each
                if arm.name in runs
            ),
        ),
        "",
        *(f"- {name}: {what}" for name, what in wrong.items()),
        *overhead(runs),
        "",
    ]
    return "\n".join(lines)


def overhead(runs: Mapping[str, Sequence[Told]]) -> Iterator[str]:
    """Yield what this project takes beyond bare Dagster assets, where both ran."""
    if BARE not in runs:
        return
    pairs = list(zip(runs[OURS], runs[BARE], strict=True))
    for figure in ("wall_s", "cpu_s"):
        more = [ours[figure] - bare[figure] for ours, bare in pairs]
        shares = [
            each / bare[figure] for each, (_, bare) in zip(more, pairs, strict=True)
        ]
        each_ms = statistics.median(more) * 1000 / len(pairs[0][0]["assets_ms"])
        yield (
            f"- beyond bare Dagster assets, {FIGURES[figure]}: "
            f"{statistics.median(shares):+.0%}, {each_ms:+.1f} ms an asset"
        )


def main() -> None:
    """Measure, print, and keep."""
    parser = arms_parser(__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as nowhere:
        scratch = (given.scratch or Path(nowhere)).resolve()
        graph = scratch / f"graph-{given.scale:g}"
        scratch.mkdir(parents=True, exist_ok=True)
        write = [sys.executable, "-m", "benchmarks.tpch.source"]
        subprocess.run([*write, str(given.scale), graph], cwd=ROOT, check=True)
        each = list(arms(TPCH, given.arms, scratch / "environments"))
        with tempfile.TemporaryDirectory(dir=scratch) as answers:
            wrong = compared(each, graph, Path(answers))
        print("\n".join(f"{name}: {what}" for name, what in wrong.items()), flush=True)
        able = [arm for arm in each if not wrong.get(arm.name, "").startswith("failed")]
        runs = runs_in_turn(able, RUN, graph, scratch=scratch, rounds=given.rounds)
    command = (
        f"python -m benchmarks.peers --scale {given.scale:g} --rounds {given.rounds}"
    )
    part = page(each, runs, wrong, command)
    print(part)
    if given.write:
        write_part(f"peers, at scale {given.scale:g}", part)
        keep(
            f"peers at scale {given.scale:g}",
            {"command": command, "runs": runs, "wrong": wrong},
        )


if __name__ == "__main__":
    main()
