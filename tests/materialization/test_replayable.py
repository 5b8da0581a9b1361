import datetime as dt
import os
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame

import dagster_dfsession as dfs
from dagster_dfsession.delta.location import Lake, Location
from dagster_dfsession.delta.vacuum import vacuum
from dagster_dfsession.errors import DeltaError, RecordError
from dagster_dfsession.materialization.replayable import needed_versions
from tests.delta.writing import write


@dg.asset
def numbers(context: dg.AssetExecutionContext) -> pa.Table:
    return pa.table({"x": [int(context.run.tags.get("x", "0"))]})


@dg.asset(deps=[numbers])
def doubled(dfsession: dfs.DataFusionSessionResource) -> DataFrame:
    return dfsession.sql("SELECT 2 * x AS x FROM numbers")


@pytest.fixture
def table(lake: Path) -> Location:
    return Lake(str(lake)).table(["numbers"])


@pytest.fixture
def root(lake: Path) -> Location:
    return Lake(str(lake)).root


def by_version(table: Location, root: Location, **options: Any) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for each in needed_versions(table, root, **options):
        found.setdefault(each.version, []).append(each.why.partition(" ")[0].strip(","))
    return {version: sorted(why) for version, why in sorted(found.items())}


def test_what_was_written_and_what_was_read_is_needed(
    run: Any, table: Location, root: Location
) -> None:
    run(numbers, doubled)
    run(numbers, tags={"x": "1"})
    write(table, {"x": [5]})  # by nobody's run
    run(doubled)

    assert by_version(table, root) == {
        0: ["read", "written"],
        1: ["written"],
        2: ["read"],
    }


def test_what_was_merged_into_is_needed(run: Any, lake: Path, root: Location) -> None:
    @dg.asset(metadata={"merge": {"on": "x"}})
    def merged(context: dg.AssetExecutionContext) -> pa.Table:
        return pa.table({"x": [int(context.run.tags.get("x", "0"))]})

    place = Lake(str(lake)).table(["merged"])
    run(merged)
    write(place, {"x": [5]}, mode="append")  # by nobody's run
    run(merged, tags={"x": "1"})

    assert [*by_version(place, root)] == [0, 1, 2, 3]


def test_what_is_read_of_one_table_is_not_needed_of_another(
    run: Any, lake: Path, root: Location
) -> None:
    run(numbers, doubled)

    other = Lake(str(lake)).table(["doubled"])
    assert by_version(other, root) == {0: ["written"]}


def test_a_refusal_names_run_asset_version_record_and_files(
    run: Any, table: Location, root: Location
) -> None:
    first = run(numbers, doubled)
    run(numbers, tags={"x": "1"})

    with pytest.raises(DeltaError) as refused:
        vacuum(table, retain_hours=0, needed=lambda: needed_versions(table, root))

    for part in first.run_id, "of asset numbers", "version 0", "record", ".parquet":
        assert part in str(refused.value)


def test_what_was_replaced_long_ago_is_needed_no_more(
    run: Any, table: Location, root: Location
) -> None:
    run(numbers, doubled)
    run(numbers, tags={"x": "1"})
    assert by_version(table, root, keep_days=1) == {
        0: ["read", "written"],
        1: ["written"],
    }

    # The record says that somebody has read it since; then it, too, is old.
    assert by_version(table, root, keep_days=0) == {1: ["written"]}


def test_a_record_made_since_keeps_an_old_version(
    run: Any, table: Location, root: Location
) -> None:
    run(numbers, doubled)
    run(numbers, tags={"x": "1"})
    soon = dt.datetime.now().timestamp() + 60
    for record in Path(root.uri, "_dfsession", "records").iterdir():
        os.utime(record, (soon, soon))

    assert by_version(table, root, keep_days=0) == {0: ["read"], 1: ["written"]}


def test_of_a_damaged_record_nobody_knows_what_it_needs(
    run: Any, table: Location, root: Location
) -> None:
    run(numbers, doubled)
    run(numbers, tags={"x": "1"})
    for record in Path(root.uri, "_dfsession", "records").iterdir():
        record.write_bytes(b"damaged")

    with pytest.raises(RecordError, match="cannot be decompressed"):
        vacuum(table, retain_hours=0, needed=lambda: needed_versions(table, root))
