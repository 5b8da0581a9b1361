"""Column lineage of materialized assets: for Dagster, for people, in the record."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pyarrow as pa
from datafusion import DataFrame, col, lit

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Location
from dagster_dfsession.materialization.records import (
    InputRecord,
    QueryRecord,
    RecordStore,
)
from dagster_dfsession.metadata.lineage import (
    asset_lineage,
    fewer_deps,
    lineage_table,
    short_lineage_table,
)
from dagster_dfsession.query.flow import SourceColumn
from dagster_dfsession.query.lineage import ColumnLineage, Lineage

Run = Callable[..., dg.ExecuteInProcessResult]
FLIGHTS = dg.AssetKey(["raw", "flights"])
DAYS = dg.StaticPartitionsDefinition(["2013-01-01", "2013-01-02"])


@dg.asset(key_prefix="raw")
def flights() -> pa.Table:
    return pa.table({"origin": ["JFK", "EWR"], "delay": [7.0, 1.0], "legs": [1, 2]})


@dg.asset(deps=[flights])
def late(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql(
        "SELECT origin AS airport, sum(delay) AS delay, count(*) AS flights, "
        "max(bound) AS bound FROM raw.flights JOIN bounds ON delay > bound GROUP BY 1",
        bounds=pa.table({"bound": [0.0]}),
    )


@dg.asset(ins={"flights": dg.AssetIn(key=FLIGHTS)})
def composed(flights: DataFrame) -> DataFrame:
    speed = (col("delay") / col("legs")).alias("a_leg")
    return flights.filter(col("origin") != lit("LGA")).select(speed, lit(1).alias("k"))


def metadata(result: dg.ExecuteInProcessResult, name: str) -> dict[str, Any]:
    [event] = result.asset_materializations_for_node(name)
    return {key: value.value for key, value in event.metadata.items()}


def told(said: dict[str, Any]) -> dict[str, str]:
    records = [record.data for record in said["dfsession/lineage"].records]
    return {record["column"]: record["from"] for record in records}


def of_assets(said: dict[str, Any]) -> dict[str, list[dg.TableColumnDep]]:
    return dict(said["dagster/column_lineage"].deps_by_column)


def test_a_query_tells_what_its_columns_come_from(run: Run) -> None:
    said = metadata(run(flights, late), "raw__flights")
    assert "dfsession/lineage" not in said

    said = metadata(run(flights, late), "late")

    assert told(said) == {
        "(which rows)": "<bounds>.bound, raw.flights.delay, raw.flights.origin",
        "airport": "raw.flights.origin",
        "delay": "raw.flights.delay",
        "flights": "-",
        "bound": "<bounds>.bound",
    }
    assert of_assets(said) == {
        "airport": [dg.TableColumnDep(FLIGHTS, "origin")],
        "delay": [dg.TableColumnDep(FLIGHTS, "delay")],
    }


def test_a_frame_composed_by_calls_tells_the_same(run: Run) -> None:
    said = metadata(run(flights, composed), "composed")

    assert told(said) == {
        "(which rows)": "raw.flights.origin",
        "a_leg": "raw.flights.delay, raw.flights.legs",
        "k": "-",
    }
    assert of_assets(said) == {
        "a_leg": [
            dg.TableColumnDep(FLIGHTS, "delay"),
            dg.TableColumnDep(FLIGHTS, "legs"),
        ]
    }


def test_the_partitions_of_an_input_are_what_decides_over_its_rows(run: Run) -> None:
    @dg.asset(partitions_def=DAYS, metadata={"partition_expr": "day"})
    def days() -> pa.Table:
        return pa.table({"day": ["2013-01-01"], "n": [1]})

    @dg.asset(partitions_def=DAYS, metadata={"partition_expr": "day"})
    def sums(days: DataFrame) -> DataFrame:
        return days.select("day", (col("n") * lit(2)).alias("n"))

    said = metadata(run(days, sums, key="2013-01-01"), "sums")

    assert told(said) == {"(which rows)": "days.day", "day": "days.day", "n": "days.n"}


def test_the_record_has_the_lineage_in_full(run: Run, lake: Path) -> None:
    said = metadata(run(flights, composed), "composed")
    store = RecordStore(LakeFiles(Location(str(lake))))

    query = store.get(said["dfsession/record"]).query

    assert query is not None
    assert query.lineage == Lineage(
        columns=(
            ColumnLineage(
                column="a_leg",
                sources=(
                    SourceColumn("raw.flights", "delay"),
                    SourceColumn("raw.flights", "legs"),
                ),
            ),
            ColumnLineage(column="k", sources=()),
        ),
        influence=(SourceColumn("raw.flights", "origin"),),
    )


def test_a_record_from_before_there_was_lineage_is_read() -> None:
    old = b'{"plan_hash":"1","plan":"p","functions":[],"variable":[],"bound":"b"}'

    assert msgspec.json.decode(old, type=QueryRecord).lineage is None


WIDE = Lineage(
    columns=tuple(
        ColumnLineage(column=f"c{n}", sources=(SourceColumn("t", f"x{n}"),))
        for n in range(100)
    ),
    influence=(SourceColumn("t", "k"),),
)
T = InputRecord(
    table="t", uri="t", version=0, partitions=(), data_version="", files=1, key=("t",)
)


def test_what_is_not_exact_is_told_to_people_and_not_to_dagster() -> None:
    unsure = msgspec.structs.replace(WIDE, at_most="it hides")
    unknown = Lineage(unknown="it is not known")

    rows = [record.data for record in lineage_table(unsure).records]

    assert rows[0] == {"column": "(at most)", "from": "it hides"}
    assert asset_lineage(unsure, [T]) is None
    assert asset_lineage(unknown, [T]) is None


def test_of_a_wide_table_the_beginning_is_told_where_there_is_little_room() -> None:
    whole = asset_lineage(WIDE, [T])
    assert whole is not None
    assert len(whole.deps_by_column) == 100

    some = fewer_deps(whole, 2000)

    assert some is not None
    assert 5 < len(some.deps_by_column) < 50
    assert "c0" in some.deps_by_column
    assert fewer_deps(whole, 100) is None
    assert [record.data["column"] for record in short_lineage_table(WIDE).records] == [
        "(which rows)",
        "c0",
        "and 99 more",
    ]


def test_rows_that_no_table_of_the_lake_has_no_asset_is_named_for() -> None:
    assert asset_lineage(WIDE, []) is None
