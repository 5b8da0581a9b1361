"""A step reads the partitions that Dagster maps its own to, and no other rows."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import PartitionError, TableNotFoundError

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

STATIC = dg.StaticPartitionsDefinition(["a", "b", "c"])
DAILY = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-03-20")
WEEKLY = dg.WeeklyPartitionsDefinition("2026-03-01", end_date="2026-03-20")
BY_K = {"partition_expr": "k"}
BY_DAY = {"partition_expr": "d"}
DAY_BEFORE = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)


@dg.asset(partitions_def=STATIC, metadata=BY_K)
def letters() -> pa.Table:
    return pa.table({"k": ["a", "b", "c"], "n": [1, 2, 3]})


@dg.asset(partitions_def=DAILY, metadata=BY_DAY)
def days(context: dg.AssetExecutionContext) -> pa.Table:
    keys = list(map(dt.date.fromisoformat, context.partition_keys))
    return pa.table({"d": keys, "n": [day.day for day in keys]})


def downstream(
    upstream: dg.AssetsDefinition,
    seen: list[Any],
    *,
    ins: dict[str, Any] | None = None,
    **options: Any,
) -> dg.AssetsDefinition:
    """An asset that keeps `n` of its input, and of what SQL calls by that name."""
    name = upstream.key.path[-1]

    def down(dfsession: DataFusionSessionResource, given: pa.Table) -> None:
        said = dfsession.sql(f"SELECT n FROM {name} ORDER BY n").to_pydict()
        assert said == given.select(["n"]).sort_by("n").to_pydict()
        seen.append(said["n"])

    given_as = dg.AssetIn(name, **(ins or {}))
    return dg.asset(down, ins={"given": given_as}, **options)


def test_the_same_keys_are_read_where_both_are_partitioned_alike(run: Run) -> None:
    seen: list[Any] = []
    down = downstream(letters, seen, partitions_def=STATIC)
    run(letters, keys=("a", "c"))

    run(letters, down, key="b", selection=["down"])
    run(letters, down, keys=("a", "b"), selection=["down"])
    run(letters, down, keys=("a", "c"), selection=["down"])

    assert seen == [[2], [1, 2], [1, 2, 3]]


def test_a_week_reads_its_days(run: Run) -> None:
    seen: list[Any] = []
    down = downstream(days, seen, partitions_def=WEEKLY)
    run(days, keys=("2026-03-01", "2026-03-16"))

    run(days, down, key="2026-03-08", selection=["down"])

    assert seen == [[8, 9, 10, 11, 12, 13, 14]]


@pytest.mark.filterwarnings(
    "ignore:Parameter `allow_nonexistent_upstream:dagster.BetaWarning"
)
def test_a_day_reads_the_days_before_it(run: Run) -> None:
    seen: list[Any] = []
    before = {
        "partition_mapping": dg.TimeWindowPartitionMapping(
            start_offset=-2,
            end_offset=-1,
            allow_nonexistent_upstream_partitions=True,
        )
    }
    down = downstream(days, seen, ins=before, partitions_def=DAILY)
    run(days, keys=("2026-03-01", "2026-03-16"))
    for key in ("2026-03-05", "2026-03-02", "2026-03-01"):
        run(days, down, key=key, selection=["down"])

    assert seen == [[3, 4], [1], []]


def test_one_dimension_of_two_is_read(run: Run) -> None:
    seen: list[Any] = []
    grid = dg.MultiPartitionsDefinition({"day": DAILY, "kind": STATIC})

    @dg.asset(
        partitions_def=grid, metadata={"partition_expr": {"day": "d", "kind": "k"}}
    )
    def cells() -> pa.Table:
        found = [(d, k) for d in (1, 2, 3) for k in "abc"]
        return pa.table(
            {
                "d": [dt.date(2026, 3, d) for d, _ in found],
                "k": [k for _, k in found],
                "n": list(range(9)),
            }
        )

    down = downstream(cells, seen, partitions_def=DAILY)
    run(cells, keys=("2026-03-01|a", "2026-03-03|c"))
    run(cells, down, key="2026-03-02", selection=["down"])

    assert seen == [[3, 4, 5]]


def test_all_partitions_are_the_whole_table_without_a_filter(run: Run) -> None:
    run(days, keys=("2026-03-01", "2026-03-16"))

    @dg.asset
    def down(dfsession: DataFusionSessionResource, days: DataFrame) -> DataFrame:
        assert days.count() == 16
        return dfsession.sql("SELECT sum(n) AS n FROM days")

    result = run(days, down, selection=["down"])

    [event] = result.asset_materializations_for_node("down")
    assert "Filter" not in str(event.metadata["dfsession/plan"].value)
    inputs: Any = event.metadata["dfsession/inputs"].value
    assert [record.data["partitions"] for record in inputs.records] == [""]


def test_an_asset_without_partitions_may_read_one_of_them(run: Run) -> None:
    seen: list[Any] = []
    chosen = {"partition_mapping": dg.SpecificPartitionsPartitionMapping(["b"])}
    down = downstream(letters, seen, ins=chosen)
    run(letters, keys=("a", "c"))
    run(letters, down, selection=["down"])
    assert seen == [[2]]


def test_rows_of_a_key_that_is_gone_are_nobodys(run: Run) -> None:
    """With one key left, its run still reads that key and not the whole table."""
    customers = dg.DynamicPartitionsDefinition(name="customers")
    seen: list[Any] = []

    @dg.asset(partitions_def=customers, metadata=BY_K)
    def letters(context: dg.AssetExecutionContext) -> pa.Table:
        return pa.table(
            {"k": [context.partition_key], "n": [ord(context.partition_key)]}
        )

    down = downstream(letters, seen, partitions_def=customers)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("customers", ["a", "b"])
        for key in ("a", "b"):
            run(letters, key=key, instance=instance)
        instance.delete_dynamic_partition("customers", "b")
        run(letters, down, key="a", selection=["down"], instance=instance)

    assert seen == [[97]]


@pytest.mark.parametrize(
    "annotation", [pa.Table, pa.Table | None], ids=["table", "table or None"]
)
def test_an_asset_reads_its_own_day_before(
    run: Run, rows: Rows, annotation: Any
) -> None:
    """On the first day there is no table at all, then there are no keys."""
    seen: list[Any] = []

    def totals(context: dg.AssetExecutionContext, totals: Any) -> pa.Table:
        seen.append(None if totals is None else totals.num_rows)
        before = totals["n"][0].as_py() if totals is not None and len(totals) else 0
        day = dt.date.fromisoformat(context.partition_key)
        return pa.table({"d": [day], "n": [before + 1]})

    totals.__annotations__["totals"] = annotation
    asset = dg.asset(
        totals,
        partitions_def=DAILY,
        metadata=BY_DAY,
        ins={"totals": dg.AssetIn(partition_mapping=DAY_BEFORE)},
    )
    for day in ("2026-03-01", "2026-03-02", "2026-03-03", "2026-03-01"):
        run(asset, key=day)

    absent = None if annotation is not pa.Table else 0
    assert seen == [absent, 1, 1, 0]
    assert [row["n"] for row in rows("totals")] == [1, 2, 3]


def test_a_first_day_without_a_table_is_a_frame_without_columns(run: Run) -> None:
    seen: list[Any] = []

    def totals(totals: Any) -> pa.Table:
        seen.append((type(totals), totals.count()))
        return pa.table({"d": [dt.date(2026, 3, 1)], "n": [1]})

    totals.__annotations__["totals"] = DataFrame
    mapped = {"totals": dg.AssetIn(partition_mapping=DAY_BEFORE)}
    run(
        dg.asset(totals, partitions_def=DAILY, metadata=BY_DAY, ins=mapped),
        key="2026-03-01",
    )

    assert seen == [(DataFrame, 0)]


def test_no_partitions_to_read_are_no_input_of_the_record(run: Run) -> None:
    @dg.asset(
        partitions_def=DAILY,
        metadata=BY_DAY,
        ins={"days": dg.AssetIn(partition_mapping=DAY_BEFORE)},
    )
    def down(context: dg.AssetExecutionContext, days: pa.Table) -> pa.Table:
        own = dt.date.fromisoformat(context.partition_key)
        return days.set_column(0, "d", pa.array([own] * days.num_rows, pa.date32()))

    def partitions_read(key: str) -> list[str]:
        [event] = run(
            days, down, key=key, selection=["down"]
        ).asset_materializations_for_node("down")
        inputs: Any = event.metadata["dfsession/inputs"].value
        return [record.data["partitions"] for record in inputs.records]

    run(days, key="2026-03-02")
    assert partitions_read("2026-03-03") == ["2026-03-02"]
    assert partitions_read("2026-03-01") == []


def test_an_external_asset_says_its_column_in_its_own_metadata(
    run: Run,
) -> None:
    seen: list[Any] = []
    run(letters, keys=("a", "c"))
    external = dg.AssetSpec("letters", partitions_def=STATIC, metadata=BY_K)
    down = downstream(letters, seen, partitions_def=STATIC)
    run(external, down, key="c", selection=["down"])
    assert seen == [[3]]


def test_the_input_may_say_the_column_where_the_upstream_does_not(run: Run) -> None:
    seen: list[Any] = []
    run(letters, keys=("a", "c"))
    external = dg.AssetSpec("letters", partitions_def=STATIC)
    told = downstream(letters, seen, ins={"metadata": BY_K}, partitions_def=STATIC)
    run(external, told, key="c", selection=["down"])
    assert seen == [[3]]

    untold = downstream(letters, seen, partitions_def=STATIC)
    with pytest.raises(PartitionError, match="asset 'letters' has partitions, but its"):
        run(external, untold, key="c", selection=["down"])


def test_a_missing_table_of_a_partitioned_asset_is_named(run: Run, lake: Path) -> None:
    down = downstream(letters, [], partitions_def=STATIC)
    with pytest.raises(TableNotFoundError, match="table 'letters' was not found"):
        run(letters, down, key="a", selection=["down"])
    assert not lake.exists()
