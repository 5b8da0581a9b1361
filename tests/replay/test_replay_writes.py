"""What a run did to its table is done again, and held against what it did."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datafusion import DataFrame

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import RecordError
from dagster_dfsession.replay.again import Replayed
from dagster_dfsession.replay.report import replay_report
from tests.replay.assets import DAILY, FIRST, SECOND, kept

Make = Callable[..., dg.ExecuteInProcessResult]
Again = Callable[..., Replayed]


@pytest.mark.parametrize(
    "metadata",
    [
        {"mode": "overwrite"},
        {"mode": "append"},
        {"merge": {"on": "id"}},
        {"merge": {"on": "id", "kind": "insert_only"}},
        {"merge": {"on": "id", "kind": "delete_matched"}},
        {"merge": {"on": "id", "kind": "full_sync"}},
        {"merge": {"on": "id", "kind": "scd2"}},
        {"merge": {"on": "id", "kind": "scd2", "close_missing": True}},
        {
            "merge": {
                "on": "id",
                "kind": "custom",
                "clauses": [
                    {"when": "matched", "do": "delete", "if": "source.size > 25"},
                    {"when": "not_matched", "do": "insert"},
                ],
            }
        },
        {"layout": {"z_order_by": ["id", "size"]}},
        {"layout": {"sort_by": ["size"]}},
    ],
    ids=str,
)
def test_every_way_to_write_is_equal_again(
    make: Make, again: Again, metadata: dict[str, Any]
) -> None:
    asset = kept(**metadata)
    if metadata.get("merge", {}).get("kind") == "delete_matched":
        make(FIRST, kept(mode="overwrite"))
    else:
        make(FIRST, asset)
    make(SECOND, asset)

    found = again("kept")

    assert found.rows.outcome == "equal", replay_report(found)
    assert found.rows.now.total > 0
    assert found.plan_is_same


@pytest.mark.parametrize("metadata", [{"mode": "append"}, {"merge": {"on": "id"}}])
def test_rows_that_were_changed_by_hand_are_found(
    make: Make, again: Again, lake: Path, metadata: dict[str, Any]
) -> None:
    make(FIRST, kept(**metadata))
    make(SECOND, kept(**metadata))
    tamper(lake / "kept", "size", 21, 22)

    found = again("kept")

    assert found.rows.outcome == "different"
    assert found.rows.then.first == ({"id": 2, "name": "B", "size": 22},)
    assert found.rows.now.first == ({"id": 2, "name": "B", "size": 21},)
    assert "Session, query and inputs are those of the record" in replay_report(found)


def tamper(table: Path, column: str, old: int, new: int) -> None:
    """Change a value in the data files, behind the back of the log."""
    logs = list(table.glob("_delta_log/*.json"))
    for path in table.rglob("*.parquet"):
        rows = pq.read_table(path)
        at = rows.column_names.index(column)
        plain = rows.column(column).to_pylist()
        values = pa.array([new if each == old else each for each in plain])
        size = path.stat().st_size
        pq.write_table(rows.set_column(at, rows.schema.field(column), values), path)
        for log in logs:
            stated = f'"size":{path.stat().st_size}'
            log.write_text(log.read_text().replace(f'"size":{size}', stated))


@pytest.mark.parametrize(
    "metadata",
    [
        {"mode": "overwrite"},
        {"mode": "append"},
        {"merge": {"on": "id", "kind": "full_sync"}},
    ],
    ids=str,
)
def test_a_partition_is_compared_alone(
    make: Make, again: Again, metadata: dict[str, Any]
) -> None:
    @dg.asset(partitions_def=DAILY, metadata={"partition_expr": "day", **metadata})
    def days(
        context: dg.AssetExecutionContext, dfsession: DataFusionSessionResource
    ) -> DataFrame:
        day = dt.date.fromisoformat(context.partition_key)
        return dfsession.sql("SELECT 1 AS id, $day AS day", params={"day": day})

    make(days, key="2026-03-01")
    make(days, key="2026-03-02")

    one, two = again("days", partition="2026-03-01"), again("days")

    assert one.rows.outcome == two.rows.outcome == "equal"
    assert (one.rows.then.total, two.rows.then.total) == (1, 1)
    assert two.materialized.partition == "2026-03-02"


def test_a_partition_column_that_was_added_is_added_again(
    make: Make, again: Again
) -> None:
    @dg.asset(partitions_def=DAILY, metadata={"partition_expr": "day"})
    def days(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql("SELECT 1 AS id")

    make(days, key="2026-03-01")

    assert again("days").rows.outcome == "equal"


def test_outputs_of_one_step_are_replayed_one_by_one(make: Make, again: Again) -> None:
    @dg.multi_asset(outs={"low": dg.AssetOut(), "high": dg.AssetOut()}, deps=["things"])
    def split(
        dfsession: DataFusionSessionResource,
    ) -> tuple[DataFrame, DataFrame]:
        things = dfsession.table("things")
        return things.filter("id < 2"), things.filter("id >= 2")

    make(FIRST, split)

    assert again("low").rows.then.total == 1
    assert again("high").rows.then.total == 2
    assert again("high").rows.outcome == "equal"


def test_a_merge_that_changed_nothing_is_compared_too(make: Make, again: Again) -> None:
    asset = kept(merge={"on": "id"})
    make(FIRST, asset)
    make(FIRST, asset)

    assert again("kept").rows.outcome == "equal"
    assert again("kept").rows.then.total == 3


def test_mode_ignore_that_left_rows_alone_has_nothing_to_compare(
    make: Make, again: Again
) -> None:
    asset = kept(mode="ignore")
    make(FIRST, asset)
    assert again("kept").rows.outcome == "equal"
    make(SECOND, asset)

    with pytest.raises(RecordError, match="it found rows and wrote nothing"):
        again("kept")


def test_a_merge_whose_clauses_vary_says_so(make: Make, again: Again) -> None:
    clauses = [{"when": "not_matched", "do": "insert", "if": "random() >= 0"}]
    asset = kept(merge={"on": "id", "kind": "custom", "clauses": clauses})
    make(FIRST, asset)

    assert again("kept").variable == ("random in a clause of the merge",)
