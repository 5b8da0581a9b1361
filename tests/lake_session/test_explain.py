"""What a query would do, and what its operators took."""

from dagster_dfsession.lake_session import LakeSession
from dagster_dfsession.query.explain import LINE_CHARS, SLOWEST, slowest_text
from dagster_dfsession.query.metrics import OperatorMetrics, operator_metrics
from dagster_dfsession.query.stream import Execution

QUERY = "SELECT origin, sum(late) AS late FROM flights WHERE id > 0 GROUP BY origin"


def operator(
    name: str, elapsed_ms: float, *, rows: int = 0, spilled: int = 0
) -> OperatorMetrics:
    return OperatorMetrics(
        depth=0,
        operator=name,
        rows=rows,
        elapsed_ms=elapsed_ms,
        bytes=0,
        spilled_bytes=spilled,
    )


def test_a_plan_is_shown_without_running_it(lake: LakeSession) -> None:
    said = lake.explain(QUERY)

    assert said.startswith("optimized plan\nProjection: flights.origin, sum(flights")
    assert "TableScan: flights projection=[origin, late, id]" in said
    assert "\n\nphysical plan\nProjectionExec: expr=[origin@0 as origin" in said
    assert "DataSourceExec: file_groups={1 group" in said
    assert "rows]" not in said


def test_analyze_says_what_each_operator_of_the_run_did(lake: LakeSession) -> None:
    said = lake.explain(QUERY, level="analyze")

    title, *operators = said.partition("physical plan")[2].splitlines()
    assert title.endswith(" ms, 3 rows")
    assert all(line.endswith("]") and " ms, " in line for line in operators)
    assert " 3 rows" in next(line for line in operators if "FilterExec" in line)
    assert "physical plan" in lake.explain(lake.table("flights"), level="analyze")


def test_operators_are_in_the_order_of_the_physical_plan(lake: LakeSession) -> None:
    frame = lake.sql(QUERY)
    execution = Execution(frame, "counting")
    execution.reader.read_all()

    found = execution.operators
    assert found == operator_metrics(frame)
    lines = [f"{'  ' * each.depth}{each.operator}" for each in found]
    assert lines == frame.execution_plan().display_indent().splitlines()
    assert found[0].rows == 3
    assert all(each.elapsed_ms >= 0 for each in found)


def test_operators_of_a_run_that_ended_early_are_known(lake: LakeSession) -> None:
    execution = Execution(lake.table("flights"), "reading")
    next(execution.batches)
    execution.batches.close()

    assert any(each.rows == 4 for each in execution.operators)


def test_the_slowest_operators_come_first_and_lines_are_short() -> None:
    every = [operator(f"Exec{n}: {'x' * 200}", n, rows=n * 1000) for n in range(9)]
    spilled = operator("SortExec: a", 5000.25, rows=7, spilled=3 * 1024 * 1024)

    header, first, second, *others = slowest_text([*every, spilled]).splitlines()

    assert header.split() == ["ms", "rows", "slowest", "of", "10", "operators"]
    assert first.split() == ["5,000.2", "7", "spilled", "3.0", "MiB", "SortExec:", "a"]
    assert second.split()[:2] == ["8.0", "8,000"]
    assert len(others) == SLOWEST - 2
    assert all(len(line) <= LINE_CHARS for line in (header, first, second, *others))
