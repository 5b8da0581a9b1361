"""`resource.materialize(frame)`: a table without an IO manager."""

from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import PartitionError, SessionError


@pytest.fixture
def session(lake: Path, spilling: dict[str, Any]) -> DataFusionSessionResource:
    return DataFusionSessionResource(preset="dev", root_uri=str(lake), **spilling)


def materialized(
    *assets: Any, session: DataFusionSessionResource, **options: Any
) -> list[dg.AssetMaterialization]:
    result = dg.materialize(assets, resources={"dfsession": session}, **options)
    return [
        event.step_materialization_data.materialization
        for event in result.get_asset_materialization_events()
    ]


@dg.asset
def one(dfsession: DataFusionSessionResource) -> dg.MaterializeResult[None]:
    return dfsession.materialize(dfsession.sql("SELECT 1 AS x"))


def test_the_table_is_below_the_root_and_the_event_tells_of_it(
    session: DataFusionSessionResource, lake: Path
) -> None:
    (event,) = materialized(one, session=session)

    table = DeltaTable(lake / "one")
    tags = event.tags or {}
    session_hash = str(event.metadata["dfsession/session_hash"].value)
    assert table.to_pyarrow_table().to_pydict() == {"x": [1]}
    assert event.metadata["dfsession/table_version"].value == table.version()
    assert event.metadata["dagster/row_count"].value == 1
    assert tags["dfsession/session"] == session_hash[:16]
    assert len(str(tags["dagster/data_version"])) == 64
    assert (lake / str(event.metadata["dfsession/record"].value)).is_file()


def test_what_is_not_the_engine_s_can_be_written_as_well(
    session: DataFusionSessionResource, lake: Path
) -> None:
    @dg.asset(key_prefix="raw")
    def rows(dfsession: DataFusionSessionResource) -> dg.MaterializeResult[None]:
        return dfsession.materialize(pa.table({"x": [1, 2]}))

    materialized(rows, session=session)

    assert DeltaTable(lake / "raw" / "rows").count() == 2


DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_date="2026-01-04")


@dg.asset(partitions_def=DAYS, metadata={"partition_expr": "day"})
def daily(
    context: dg.AssetExecutionContext, dfsession: DataFusionSessionResource
) -> dg.MaterializeResult[None]:
    days = pa.table({"text": context.partition_keys})
    query = "SELECT CAST(text AS date) AS day, 1 AS x FROM days"
    return dfsession.materialize(dfsession.sql(query, days=days))


def test_a_partition_replaces_itself_alone(
    session: DataFusionSessionResource, lake: Path
) -> None:
    for key in ("2026-01-01", "2026-01-02", "2026-01-01"):
        (event,) = materialized(daily, session=session, partition_key=key)
        assert event.partition == key
        assert event.metadata["dagster/row_count"].value == 1

    assert DeltaTable(lake / "daily").count() == 2


def test_a_range_in_one_run_tells_of_each_partition(
    session: DataFusionSessionResource,
) -> None:
    events = materialized(
        daily,
        session=session,
        tags={
            "dagster/asset_partition_range_start": "2026-01-01",
            "dagster/asset_partition_range_end": "2026-01-03",
        },
    )

    told = {e.partition: e.metadata["dagster/row_count"].value for e in events}
    assert told == {"2026-01-01": 1, "2026-01-02": 1, "2026-01-03": 1}
    assert len({e.metadata["dfsession/table_version"].value for e in events}) == 1


def test_rows_of_another_partition_are_refused_and_nothing_is_written(
    session: DataFusionSessionResource, lake: Path
) -> None:
    @dg.asset(partitions_def=DAYS, metadata={"partition_expr": "day"})
    def wrong(dfsession: DataFusionSessionResource) -> dg.MaterializeResult[None]:
        return dfsession.materialize(
            dfsession.sql("SELECT CAST('2026-01-03' AS date) AS day, 1 AS x")
        )

    with pytest.raises(PartitionError, match="outside the partition keys"):
        materialized(wrong, session=session, partition_key="2026-01-01")

    assert not (lake / "wrong").exists()


def test_without_a_root_there_is_nowhere_to_write(lake: Path) -> None:
    with pytest.raises(SessionError) as refused:
        materialized(one, session=DataFusionSessionResource(preset="dev"))

    assert str(refused.value) == (
        "there is no lake to write to: give the session resource a root_uri, or return "
        "the value and use a DataFusionDeltaIOManager"
    )
    assert not lake.exists()


def test_an_asset_of_several_outputs_cannot_say_which_it_is(
    session: DataFusionSessionResource, lake: Path
) -> None:
    @dg.multi_asset(specs=[dg.AssetSpec("low"), dg.AssetSpec("high")])
    def split(dfsession: DataFusionSessionResource):  # type: ignore[no-untyped-def] # noqa: ANN202
        return dfsession.materialize(dfsession.sql("SELECT 1 AS x"))

    with pytest.raises(SessionError, match="writes the one asset that is running"):
        materialized(split, session=session)

    assert not lake.exists()


def test_an_earlier_table_is_read_by_its_key(
    session: DataFusionSessionResource,
) -> None:
    seen: list[Any] = []

    @dg.asset(deps=[one])
    def reads(dfsession: DataFusionSessionResource) -> None:
        frame: DataFrame = dfsession.table("one")
        seen.append(frame.to_pydict())

    materialized(one, reads, session=session)

    assert seen == [{"x": [1]}]
