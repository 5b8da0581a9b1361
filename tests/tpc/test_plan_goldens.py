"""How the engine plans TPC-H and TPC-DS: an upgrade of it shows here what moved.

`UPDATE_GOLDENS=1 pytest tests/tpc/test_plan_goldens.py` writes the goldens anew.
"""

import difflib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from dagster_dfsession.query.identity import PlanIdentity
from tests.tpc.benchmark import EXTENSIONS, Suite
from tests.tpc.plans import hashes, identities

ROOT = Path(__file__).parents[2]
GOLDENS = ROOT / "tests" / "goldens" / "tpc"
HEADING = re.compile(r"^# query (\d+)\n", re.MULTILINE)
INDENT = re.compile(r"^( +)", re.MULTILINE)
SHOWN = 60
"""Lines of a difference."""


def written(plans: Mapping[int, PlanIdentity]) -> str:
    """Return the optimized plans, each below the number of its query."""
    return "".join(
        f"# query {number}\n{INDENT.sub(_narrow, plan.text)}\n"
        for number, plan in plans.items()
    )


def read(text: str) -> dict[int, str]:
    """Return number -> plan of what `written` returned."""
    _, *parts = HEADING.split(text)
    return dict(zip(map(int, parts[::2]), parts[1::2], strict=True))


def moved(before: Mapping[int, str], after: Mapping[int, str]) -> Iterator[str]:
    """Return the lines that differ, each query's below its number."""
    for number in sorted({*before, *after}):
        one, other = (each.get(number, "").splitlines() for each in (before, after))
        if one != other:
            yield f"query {number}:"
            _, _, *lines = difflib.unified_diff(one, other, n=1, lineterm="")
            yield from lines


def _narrow(spaces: re.Match[str]) -> str:
    return " " * (len(spaces[0]) // 2)


def _golden(name: str, found: str) -> str:
    path = GOLDENS / name
    if os.environ.get("UPDATE_GOLDENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    return path.read_text(encoding="utf-8")


@pytest.mark.demand("D36")
@pytest.mark.parametrize("suite", EXTENSIONS)
def test_the_engine_plans_the_benchmarks_so(suite: Suite, tmp_path: Path) -> None:
    plans = identities(suite, tmp_path)

    lines = list(
        moved(read(_golden(f"{suite}.txt", written(plans))), read(written(plans)))
    )
    if lines:
        queries = sum(line.startswith("query ") for line in lines)
        shown = "\n".join(lines[:SHOWN])
        pytest.fail(f"{queries} plans of {suite} moved:\n{shown}", pytrace=False)
    # Where a text stayed and its hash moved: the plan as composed, its SQL, the types
    # of its columns, or the settings that change results.
    found = json.dumps(hashes(plans), indent=1) + "\n"
    assert hashes(plans) == json.loads(_golden(f"{suite}.json", found))


def test_hashes_depend_on_no_process_machine_or_place() -> None:
    """Other partitions stand for another machine: they are as many as it has cores."""
    printed = subprocess.run(
        [sys.executable, "-m", "tests.tpc.plans", "7"],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert json.loads(printed) == {
        suite: json.loads((GOLDENS / f"{suite}.json").read_text(encoding="utf-8"))
        for suite in EXTENSIONS
    }


def test_a_plan_that_moved_is_told_by_its_lines() -> None:
    before = {1: "Sort: a\n TableScan: t\n", 2: "TableScan: t\n"}
    after = {1: "Sort: a\n Filter: b\n  TableScan: t\n", 2: "TableScan: t\n"}

    assert list(moved(before, after)) == [
        "query 1:",
        "@@ -1,2 +1,3 @@",
        " Sort: a",
        "- TableScan: t",
        "+ Filter: b",
        "+  TableScan: t",
    ]
