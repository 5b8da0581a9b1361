"""What an asset is given that reads changes: each change for one of its commits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable, write_deltalake

from dagster_dfsession import Changes, DataFusionSessionResource
from dagster_dfsession.errors import PartitionError, SessionError, UnsupportedTypeError

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

APPENDING = {"mode": "append"}
FEED = {"delta.enableChangeDataFeed": "true"}
FULL = {"dfsession/full_refresh": "true"}

up = dg.AssetSpec("up")


@dg.asset(metadata=APPENDING)
def down(up: Changes) -> DataFrame:
    return up.frame.select("x")


def append(lake: Path, *xs: int, **options: Any) -> None:
    write_deltalake(
        str(lake / "up"), pa.table({"x": list(xs)}), mode="append", **options
    )


def read(run: Run, *assets: Any, **options: Any) -> dg.ExecuteInProcessResult:
    made = assets or (down,)
    return run(up, *made, selection=[each.key for each in made], **options)


def cursor(result: dg.ExecuteInProcessResult) -> dict[str, int]:
    [event] = result.asset_materializations_for_node("down")
    stated = msgspec.json.decode(str(event.metadata["dfsession/cursor"].value))
    return {table: position["version"] for table, position in stated.items()}


def test_the_first_time_all_rows_are_inserts_and_then_what_came(
    run: Run, lake: Path, rows: Rows
) -> None:
    append(lake, 1)
    append(lake, 2)
    first = cursor(read(run))
    append(lake, 3)
    append(lake, 4)
    second = cursor(read(run))
    third = cursor(read(run))

    assert [first, second, third] == [{"up": 1}, {"up": 3}, {"up": 3}]
    assert rows("down") == [{"x": 1}, {"x": 2}, {"x": 3}, {"x": 4}]


def test_updates_and_deletes_come_with_their_kind_and_range(
    run: Run, lake: Path
) -> None:
    append(lake, 1, 2, 3, configuration=FEED)
    seen: list[Any] = []

    @dg.asset(name="down")
    def watching(dfsession: DataFusionSessionResource, up: Changes) -> DataFrame:
        query = "SELECT x, _change_type AS kind, _commit_version AS v FROM up"
        by_sql = dfsession.sql(query).to_pydict()
        by_frame = up.frame.sort("_change_type").to_pydict()["_change_type"]
        seen.append(
            (up.since, up.until, sorted(zip(*by_sql.values(), strict=True)), by_frame)
        )
        return dfsession.sql(f"{query} WHERE x > 1")

    read(run, watching)
    table = DeltaTable(str(lake / "up"))
    table.update(predicate="x = 2", updates={"x": "20"})
    table.delete("x = 3")
    read(run, watching)

    first = [(1, "insert", 0), (2, "insert", 0), (3, "insert", 0)]
    second = [
        (2, "update_preimage", 1),
        (3, "delete", 2),
        (20, "update_postimage", 1),
    ]
    assert seen == [
        (None, 0, first, ["insert"] * 3),
        (0, 2, second, ["delete", "update_postimage", "update_preimage"]),
    ]


@pytest.mark.parametrize("kind", [DataFrame, pa.Table, pa.RecordBatchReader])
def test_an_input_of_any_type_is_changes_by_its_metadata(
    run: Run, lake: Path, rows: Rows, kind: type
) -> None:
    def through(up: Any) -> Any:
        return up

    through.__annotations__ = {"up": kind, "return": kind}
    given = dg.AssetIn(metadata={"changes": True, "columns": ["x", "_change_type"]})
    asset = dg.asset(through, name="down", ins={"up": given}, metadata=APPENDING)
    append(lake, 1)
    read(run, asset)
    append(lake, 2)
    read(run, asset)

    found = [{"x": x, "_change_type": "insert"} for x in (1, 2)]
    assert rows("down") == found


def test_a_whole_table_of_changes_is_refused(run: Run, lake: Path) -> None:
    def through(up: DeltaTable) -> DeltaTable:
        return up

    given = dg.AssetIn(metadata={"changes": True})
    append(lake, 1)
    with pytest.raises(UnsupportedTypeError) as refused:
        read(run, dg.asset(through, name="down", ins={"up": given}))

    assert "as a deltalake.DeltaTable, which is a whole table" in str(refused.value)
    assert "Annotate the parameter with dagster_dfsession.Changes" in str(refused.value)
    assert not (lake / "down").exists()


days = dg.StaticPartitionsDefinition(["a", "b"])
BY_DAY = {"partition_expr": "day", "mode": "append"}


@dg.asset(name="down", partitions_def=days, metadata=BY_DAY)
def daily(up: Changes) -> DataFrame:
    key = dg.AssetExecutionContext.get().partition_key
    return up.frame.select("x", "day").filter(f"day = '{key}'")


def append_days(lake: Path, x: int) -> None:
    rows = pa.table({"x": [x, x], "day": ["a", "b"]})
    write_deltalake(str(lake / "up"), rows, mode="append")


def test_each_partition_has_read_for_itself(run: Run, lake: Path, rows: Rows) -> None:
    append_days(lake, 1)
    read(run, daily, key="a")
    append_days(lake, 2)
    assert cursor(read(run, daily, key="b")) == {"up": 1}
    append_days(lake, 3)
    read(run, daily, key="a")

    found = [(row["day"], row["x"]) for row in rows("down")]
    assert sorted(found) == [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2)]


def test_partitions_that_read_differently_far_cannot_be_one_step(
    run: Run, lake: Path
) -> None:
    @dg.asset(name="down", partitions_def=days, metadata=BY_DAY)
    def together(up: Changes) -> DataFrame:
        return up.frame.select("x", "day")

    append_days(lake, 1)
    read(run, together, keys=("a", "b"))
    append_days(lake, 2)
    read(run, daily, key="a")

    with pytest.raises(PartitionError, match=r"\(a: 1, b: 0\)"):
        read(run, together, keys=("a", "b"))


def test_a_step_of_two_assets_is_refused(run: Run, lake: Path) -> None:
    append(lake, 1)

    @dg.multi_asset(outs={"one": dg.AssetOut(), "two": dg.AssetOut()})
    def both(up: Changes) -> tuple[DataFrame, DataFrame]:
        return up.frame, up.frame

    with pytest.raises(
        SessionError, match="changes of 'up' can only be read by a step"
    ):
        run(up, both, selection=["one", "two"])


def test_equal_ranges_have_one_data_version_and_other_ranges_another(
    run: Run, lake: Path
) -> None:
    @dg.asset(name="down")
    def latest(up: Changes) -> DataFrame:
        return up.frame.select("x")

    def version() -> str:
        [event] = read(run, latest).asset_materializations_for_node("down")
        return (event.tags or {})["dagster/data_version"]

    append(lake, 1)
    first = version()
    append(lake, 1)
    second = version()
    (lake / "down").rename(lake / "gone")
    third = version()
    fourth, fifth = version(), version()

    assert len({first, second, third, fourth}) == 4
    assert fourth == fifth
