"""Which queries of TPC-H finish under a memory limit, and what that costs.

    python -m benchmarks.memory --scale 10 --limits 1G 2G 4G --rounds 1 --scratch DIR
    [--queries q18 sort ...] [--arms default low_memory] [--write]

The 22 queries, a sort of all of `lineitem`, a join and two aggregations with as many
groups, each in a process of its own. The base is a session without a limit in the same
round. A query that did not spill under a limit is not asked again under a larger one.
Then four queries at once, as steps of one Dagster run that share the largest limit.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.harness import alone, keep, machine, write_part
from benchmarks.memory.source import texts, write_tables

MIB = 2**20
GIVE_UP_S = 400
MOST_CHARS = 40
BASE: Mapping[str, Any] = MappingProxyType({"memory_pool": {"kind": "unbounded"}})
HEAVY = ("q18", "sort", "group", "distinct")

Told = dict[str, Any]


def one(lake: Path, profile: Mapping[str, Any], query: str) -> Told:
    """Run a query in a process of its own; tell what became of it."""
    given = [str(lake), json.dumps(profile)]
    command = [sys.executable, "-m", "benchmarks.memory.one", *given]
    try:
        done = subprocess.run(
            command,
            input=query,
            capture_output=True,
            text=True,
            timeout=GIVE_UP_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not over after {GIVE_UP_S} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason"])[-1]
        return {"failed": f"ended with {done.returncode}: {last}"}
    told: Told = json.loads(done.stdout.splitlines()[-1])
    return told


def rounds_of(
    lake: Path, query: str, arms: Sequence[str], limits: Sequence[str]
) -> Iterator[tuple[str, Told]]:
    """Yield what one round of a query took: arm and limit, figures."""
    yield "unlimited", one(lake, {"runtime": dict(BASE)}, query)
    for arm in arms:
        for limit in limits:
            pool = {"kind": "fair", "size": limit}
            profile = {"preset": arm, "runtime": {"memory_pool": pool}}
            told = one(lake, profile, query)
            yield f"{arm} {limit}", told
            if told["failed"] is None and not told["spilled_bytes"]:
                break


def measured(
    lake: Path, asked: Sequence[str], given: argparse.Namespace
) -> dict[str, dict[str, list[Told]]]:
    """Return query -> arm and limit -> a round each."""
    queries = texts()
    found: dict[str, dict[str, list[Told]]] = {name: {} for name in asked}
    for number in range(given.rounds):
        for name in asked:
            runs = rounds_of(lake, queries[name], given.arms, given.limits)
            for where, told in runs:
                found[name].setdefault(where, []).append(told)
                print(
                    f"{number + 1}/{given.rounds} {name:8} {where:16} {told}",
                    flush=True,
                )
    return found


def cell(rounds: Sequence[Told] | None, base: Sequence[Told]) -> str:
    """Return what a table says of a query under a limit."""
    if rounds is None:
        return ""
    if failed := next((each["failed"] for each in rounds if each["failed"]), None):
        return f"**{short(failed)}**"
    if any(each["failed"] for each in base):
        return "finished"
    ratios = [a["wall_s"] / b["wall_s"] for a, b in zip(rounds, base, strict=True)]
    cpu = [a["cpu_s"] / b["cpu_s"] for a, b in zip(rounds, base, strict=True)]
    spilled = statistics.median(each["spilled_bytes"] for each in rounds) / MIB
    said = f"{statistics.median(ratios):.2f} ({statistics.median(cpu):.2f})"
    return f"{said}, {spilled:,.0f} MiB" if spilled else said


def short(failed: str) -> str:
    """Return what failed, in a few words."""
    operator = re.search(r"(\w+) holds .+ needs .+ more", failed)
    if operator is None:
        return failed if len(failed) < MOST_CHARS else "failed"
    return f"failed: {operator[1]}"


def table_of(found: Mapping[str, Mapping[str, list[Told]]]) -> str:
    """Return the figures as a Markdown table: a row for each query."""
    columns = list(dict.fromkeys(chain.from_iterable(found.values())))
    rows = [
        ["query", "unlimited, s", "peak", *columns[1:]],
        ["---"] * (len(columns) + 2),
    ]
    for name, arms in found.items():
        base = arms["unlimited"]
        peak = max(each.get("peak_bytes", 0) for each in base) / MIB
        seconds = statistics.median(each.get("wall_s", 0) for each in base)
        cells = [cell(arms.get(column), base) for column in columns[1:]]
        rows.append([name, f"{seconds:.1f}", f"{peak:,.0f} MiB", *cells])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def at_once(lake: Path, limit: str) -> Told:
    """Run four heavy queries as steps of one run that share a limit."""
    told: Told = alone("benchmarks.memory.four", lake, limit, *HEAVY)
    return told


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--limits", nargs="+", default=["1G", "2G", "4G"])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--scratch", type=Path, help="keeps the tables")
    parser.add_argument("--queries", nargs="+", choices=texts(), default=[*texts()])
    parser.add_argument("--arms", nargs="+", default=["default", "low_memory"])
    parser.add_argument("--write", action="store_true", help="the page and results")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        scratch = given.scratch or Path(directory)
        lake = (scratch / f"sf{given.scale:g}").resolve()
        lake.mkdir(parents=True, exist_ok=True)
        write_tables(given.scale, lake)
        found = measured(lake, given.queries, given)
        together = at_once(lake, given.limits[-1])
    table = table_of(found)
    print(machine(), table, json.dumps(together, indent=2), sep="\n")
    if given.write:
        keep(
            f"memory, TPC-H scale {given.scale:g}",
            {"rounds": given.rounds, "queries": found, "four at once": together},
        )
        write_part(
            f"memory, scale {given.scale:g}", f"{table}\n{together_text(together)}"
        )


def together_text(told: Told) -> str:
    """Return what is said of the four at once."""
    steps = ", ".join(
        f"{name} ({each['limit']}, {each['spilled_mib']:,} MiB spilled)"
        for name, each in told["steps"].items()
    )
    return (
        f"Four at once, one run, {told['budget']} for all: {steps}. "
        f"{told['seconds']:.0f} s; at most {told['peak_mib']:,} MiB resident in all "
        f"processes of the run; {told['failed']} failed.\n"
    )


if __name__ == "__main__":
    main()
