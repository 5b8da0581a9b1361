"""Every demand has a test, and the table tells whether it is held."""

import textwrap
from collections import Counter
from pathlib import Path

import pytest

from tests.demands.registry import demands, marked
from tests.demands.table import DemandsTable

DEMANDED = 81


def report(outcome: str, *named: str, test: str = "t.py::test_a") -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=test,
        location=("t.py", 1, "test_a"),
        keywords={},
        outcome=outcome,  # type: ignore[arg-type]
        longrepr=None,
        when="call",
        user_properties=[("demand", each) for each in named],
    )


def test_the_registry_words_every_demand() -> None:
    assert list(demands()) == [f"D{n + 1}" for n in range(DEMANDED)]
    assert [d for d, text in demands().items() if not text.endswith(".")] == []


def test_no_two_demands_are_worded_alike() -> None:
    assert [t for t, n in Counter(demands().values()).items() if n > 1] == []


def test_every_demand_has_a_test_and_every_mark_a_demand() -> None:
    named = {demand for demand, _ in marked()}

    assert sorted({*demands()} ^ named) == []


def test_a_table_has_demand_test_and_status() -> None:
    table = DemandsTable({"D1": "One.", "D2": "Two.", "D10": "Ten."})
    table.pytest_runtest_logreport(report("passed", "D10", "D1"))
    table.pytest_runtest_logreport(report("failed", "D10", test="t.py::test_b[x]"))

    assert "\n".join(table.lines()) == textwrap.dedent(
        """\
        D1   One.
             passed   t.py::test_a
        D2   Two.
             no test  -
        D10  Ten.
             passed   t.py::test_a
             failed   t.py::test_b
        3 demands: 1 passed, 1 failed, 0 skipped, 1 without a test"""
    )
    assert not table.held


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        (["passed", "passed"], "passed"),
        (["passed", "failed", "passed"], "failed"),
        (["passed", "skipped"], "skipped"),
        (["skipped", "failed"], "failed"),
        ([], "no test"),
    ],
)
def test_a_test_counts_as_the_worst_of_its_parameters(
    outcomes: list[str], status: str
) -> None:
    table = DemandsTable({"D1": "One."})
    for outcome in outcomes:
        table.pytest_runtest_logreport(report(outcome, "D1"))

    assert table.status("D1") == status
    assert table.held is (status == "passed")


def test_a_test_that_names_no_demand_is_not_in_the_table() -> None:
    table = DemandsTable({"D1": "One."})
    table.pytest_runtest_logreport(report("failed"))

    assert table.found == {"D1": {}}


def test_make_runs_the_table() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")

    assert "-p tests.demands.table -m demand" in makefile
