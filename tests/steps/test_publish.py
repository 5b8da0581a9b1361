"""Writing the asset that is running, without an IO manager."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import (
    PartitionError,
    QueryError,
    SessionError,
)

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

DAILY = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-03-20")


@dg.asset
def alone(dfsession: DataFusionSessionResource) -> dg.MaterializeResult[None]:
    return dfsession.materialize(dfsession.sql("SELECT 1 AS x"))


@dg.asset(partitions_def=DAILY, metadata={"partition_expr": "d"})
def days(
    context: dg.AssetExecutionContext, dfsession: DataFusionSessionResource
) -> dg.MaterializeResult[None]:
    keys = list(map(dt.date.fromisoformat, context.partition_keys))
    return dfsession.materialize(pa.table({"d": keys, "n": [len(keys)] * len(keys)}))


def test_partitions_are_written_and_told_apart(
    run: Run, rows: Rows, lake: Path
) -> None:
    session = {"root_uri": str(lake)}
    result = run(days, session=session, keys=("2026-03-01", "2026-03-03"))
    run(days, session=session, key="2026-03-02")

    assert [row["n"] for row in rows("days")] == [3, 1, 3]
    counts = [
        event.metadata["dagster/row_count"].value
        for event in result.asset_materializations_for_node("days")
    ]
    assert counts == [1, 1, 1]


def test_a_partitioned_asset_is_not_written_without_a_key(
    run: Run, rows: Rows, lake: Path
) -> None:
    session = {"root_uri": str(lake)}
    run(days, session=session, keys=("2026-03-01", "2026-03-02"))

    @dg.asset(name="days", partitions_def=DAILY, metadata={"partition_expr": "d"})
    def careless(dfsession: DataFusionSessionResource) -> dg.MaterializeResult[None]:
        return dfsession.materialize(pa.table({"d": [dt.date(2026, 3, 1)], "n": [0]}))

    with pytest.raises(PartitionError, match="asset 'days' has partitions, but this"):
        run(careless, session=session)
    assert len(rows("days")) == 2


def test_without_a_lake_it_says_where_one_can_be_named() -> None:
    with pytest.raises(
        SessionError, match="there is no lake to write to: give the ses"
    ):
        dg.materialize(
            [alone], resources={"dfsession": DataFusionSessionResource(preset="dev")}
        )


def test_an_asset_of_several_outputs_is_refused(run: Run, lake: Path) -> None:
    @dg.multi_asset(specs=[dg.AssetSpec("a"), dg.AssetSpec("b")])
    def both(dfsession: DataFusionSessionResource) -> Any:
        yield dfsession.materialize(pa.table({"x": [1]}))

    with pytest.raises(SessionError, match="writes the one asset that is running"):
        run(both, session={"root_uri": str(lake)})
    assert not lake.exists()


def test_a_query_that_fails_leaves_neither_table_nor_record(
    run: Run, lake: Path
) -> None:
    @dg.asset
    def failing(dfsession: DataFusionSessionResource) -> Any:
        return dfsession.sql("SELECT 1 / (x - 1) AS y FROM (VALUES (1)) AS t(x)")

    with pytest.raises(
        QueryError, match=r"computing failing: a number was divided by zero"
    ):
        run(failing)
    assert not [path for path in lake.rglob("*") if path.is_file()]


def test_equal_materializations_share_one_record(run: Run, lake: Path) -> None:
    for _ in range(2):
        run(alone, session={"root_uri": str(lake)})
    assert len(list(lake.joinpath("_dfsession", "records").iterdir())) == 1
    assert DeltaTable(str(lake / "alone")).version() == 1
