"""A frame runs with the functions that it was composed with, whatever they are called."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from datafusion import DataFrame, Expr, SessionContext, col, udf

from dagster_dfsession.query.carried import CARRIED, carries_functions

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]


def negative(values: Expr) -> Expr:
    """Call a function that is called as one of the engine's."""
    types = [pa.int64()], pa.int64(), "immutable"
    return udf(pc.negate, *types, name="abs")(values)


@dg.asset
def numbers() -> pa.Table:
    return pa.table({"n": [1, 2]})


def test_a_function_of_a_frame_is_not_taken_for_one_of_its_name(
    run: Run, rows: Rows
) -> None:
    @dg.asset
    def turned(numbers: DataFrame) -> DataFrame:
        return numbers.select(negative(col("n")).alias("n"))

    result = run(numbers, turned)

    assert rows("turned") == [{"n": -1}, {"n": -2}]
    (made,) = result.asset_materializations_for_node("turned")
    assert made.metadata["dfsession/variable"].value == CARRIED


@pytest.mark.parametrize(
    "composed",
    [
        lambda t: t.filter(negative(col("n")) > col("n")),
        lambda t: t.aggregate([negative(col("n"))], []),
        lambda t: t.sort(negative(col("n")).sort()),
        lambda t: t.select(negative(col("n"))).distinct(),
        lambda t: t.select("n").union(t.select(negative(col("n")))),
    ],
    ids=["filter", "aggregate", "sort", "distinct", "union"],
)
def test_a_function_is_found_wherever_it_is_called(
    composed: Callable[[DataFrame], DataFrame],
) -> None:
    ctx = SessionContext()
    table = ctx.from_pydict({"n": [1, 2]}, name="numbers")

    assert carries_functions(composed(table), ctx)


def test_the_functions_of_a_session_are_its_own() -> None:
    ctx = SessionContext()
    ctx.register_udf(udf(pc.negate, [pa.int64()], pa.int64(), "immutable", name="less"))
    ctx.from_pydict({"n": [1, 2]}, name="numbers")
    query = (
        "SELECT abs(n), less(n), sum(n) OVER (ORDER BY n) FROM numbers "
        "WHERE n IN (SELECT less(n) FROM numbers)"
    )

    assert not carries_functions(ctx.sql(query), ctx)
