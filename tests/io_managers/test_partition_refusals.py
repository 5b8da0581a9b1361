"""What a partitioned asset is refused: always before anything is committed."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import (
    CommitError,
    PartitionError,
    SchemaMismatchError,
)

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

STATIC = dg.StaticPartitionsDefinition(["a", "b", "c"])
NUMBERS = dg.StaticPartitionsDefinition(["1", "07", "x", "999"])
DAILY = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-03-20")
HOURLY = dg.HourlyPartitionsDefinition("2026-03-01-00:00", end_date="2026-03-03-00:00")
GRID = dg.MultiPartitionsDefinition({"day": DAILY, "kind": STATIC})
DAY = dt.date(2026, 3, 1)


def parts(
    value: Any,
    definition: dg.PartitionsDefinition = STATIC,
    expression: Any = "k",
    **metadata: Any,
) -> dg.AssetsDefinition:
    if expression is not None:
        metadata["partition_expr"] = expression

    @dg.asset(name="parts", partitions_def=definition, metadata=metadata)
    def asset() -> Any:
        return value

    return asset


def rows_of(*keys: str | None, x: int = 1) -> pa.Table:
    return pa.table({"k": pa.array(keys, pa.string()), "x": [x] * len(keys)})


REFUSED: dict[str, tuple[dg.AssetsDefinition, str, str]] = {
    "no partition_expr": (
        parts(rows_of("a"), expression=None),
        "a",
        r"asset 'parts' has partitions, but its 'partition_expr' metadata is None\. Set",
    ),
    "no column of that name": (
        parts(rows_of("a"), expression="K"),
        "a",
        r"there is no partition column 'K'; is it 'k'\? The columns are k, x\. Name the",
    ),
    "one column for two dimensions": (
        parts(rows_of("a"), GRID, "k"),
        "2026-03-01|a",
        r"has the dimensions day, kind, but its 'partition_expr' metadata is 'k'\. Set",
    ),
    "a column for one of two dimensions": (
        parts(rows_of("a"), GRID, {"kind": "k"}),
        "2026-03-01|a",
        r"\{'kind': 'k'\}\. Set it to a mapping that names a column for each: ",
    ),
    "text for an integer": (
        parts(pa.table({"k": [1], "x": [1]}), NUMBERS),
        "x",
        r"the partition key 'x' is no value of column 'k' of type int64; keys are",
    ),
    "a second spelling of an integer": (
        parts(pa.table({"k": [7], "x": [1]}), NUMBERS),
        "07",
        r"'07' is no value of column 'k' of type int64; keys are text for a string c",
    ),
    "too large for the integer": (
        parts(pa.table({"k": pa.array([1], pa.int8()), "x": [1]}), NUMBERS),
        "999",
        r"999 does not fit the partition column 'k' of type int8",
    ),
    "text for a day": (
        parts(pa.table({"k": [DAY], "x": [1]})),
        "a",
        r"'a' is no value of column 'k' of type date32",
    ),
    "days for an integer": (
        parts(pa.table({"k": [1], "x": [1]}), DAILY),
        "2026-03-01",
        r"'2026-03-01' is no value of column 'k' of type int64",
    ),
    "hours for a day": (
        parts(pa.table({"k": [DAY], "x": [1]}), HOURLY),
        "2026-03-01-01:00",
        r"the time partitions of the date column 'k' begin or end at 2026-03-01 01:00",
    ),
    "a number that is not exact": (
        parts(pa.table({"k": [1.0], "x": [1]}), NUMBERS),
        "1",
        r"'k' is of type double, whose values cannot name a partition exactly",
    ),
    "rows of another key": (
        parts(rows_of("a", "b", "a", None, "z")),
        "a",
        r"3 of 5 rows read so far lie outside the partition keys of this run, and noth",
    ),
    "rows of another hour": (
        parts(
            pa.table({"k": [dt.datetime(2026, 3, 1, 2)], "x": [1]}),
            HOURLY,
            mode="append",
        ),
        "2026-03-01-01:00",
        r"1 of 1 rows read so far lie outside the partition keys of this run",
    ),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_does_not_fit_together_is_refused_and_no_table_made(
    run: Run, lake: Path, name: str
) -> None:
    asset, key, message = REFUSED[name]
    with pytest.raises(PartitionError, match=message):
        run(asset, key=key)
    assert not lake.joinpath("parts").exists()


@pytest.mark.parametrize("mode", ["overwrite", "append", "error"])
def test_rows_of_another_key_leave_the_table_as_it_was(
    run: Run, rows: Rows, lake: Path, mode: str
) -> None:
    run(parts(rows_of("b")), key="b")
    version = DeltaTable(str(lake / "parts")).version()

    with pytest.raises(PartitionError, match=r"1 of 2 rows .*\{'k': 'b'\}"):
        run(parts(rows_of("a", "b", x=2), mode=mode), key="a")

    assert DeltaTable(str(lake / "parts")).version() == version
    assert rows("parts") == [{"k": "b", "x": 1}]


def test_a_query_that_strays_is_refused_as_well(run: Run, lake: Path) -> None:
    @dg.asset(partitions_def=STATIC, metadata={"partition_expr": "k"})
    def parts(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql("SELECT * FROM (VALUES ('a', 1), ('b', 2)) AS t(k, x)")

    with pytest.raises(PartitionError, match="1 of 2 rows"):
        run(parts, key="a")
    assert not lake.joinpath("parts").exists()


def test_append_adds_to_its_key_alone(run: Run, rows: Rows) -> None:
    run(parts(rows_of("a", "b")), keys=("a", "b"))
    run(parts(rows_of("a", x=2), mode="append"), key="a")
    assert [tuple(row.values()) for row in rows("parts")] == [
        ("a", 1),
        ("a", 2),
        ("b", 1),
    ]


def test_mode_error_looks_at_its_own_key_alone(run: Run, rows: Rows) -> None:
    for key in ("a", "b"):
        run(parts(rows_of(key), mode="error"), key=key)
    with pytest.raises(CommitError, match="these partitions have rows already"):
        run(parts(rows_of("a", x=2), mode="error"), key="a")
    assert rows("parts") == [{"k": "a", "x": 1}, {"k": "b", "x": 1}]


@pytest.mark.parametrize("schema_mode", ["strict", "overwrite"])
def test_no_key_replaces_the_columns_of_the_others(
    run: Run, rows: Rows, schema_mode: str
) -> None:
    run(parts(rows_of("a")), key="a")
    wide = rows_of("b").append_column("y", pa.array([1]))
    with pytest.raises(SchemaMismatchError):
        run(parts(wide, schema_mode=schema_mode), key="b")
    assert rows("parts") == [{"k": "a", "x": 1}]


def test_schema_mode_merge_adds_a_column_for_all(run: Run, rows: Rows) -> None:
    run(parts(rows_of("a")), key="a")
    wide = rows_of("b").append_column("y", pa.array([1]))
    run(parts(wide, schema_mode="merge"), key="b")
    assert rows("parts") == [{"k": "a", "x": 1, "y": None}, {"k": "b", "x": 1, "y": 1}]


def test_a_partitioned_asset_is_not_written_without_a_key(run: Run, rows: Rows) -> None:
    """Dagster starts such a run; it must not become an overwrite of everything."""
    run(parts(rows_of("a")), key="a")
    with pytest.raises(PartitionError, match="asset 'parts' has partitions, but this"):
        run(parts(rows_of("b")))
    assert rows("parts") == [{"k": "a", "x": 1}]


def test_an_empty_frame_without_types_empties_its_key(run: Run, rows: Rows) -> None:
    run(parts(rows_of("a", "b")), keys=("a", "b"))
    untyped = pa.table({"k": pa.nulls(0), "x": pa.nulls(0)})
    run(parts(untyped), key="a")
    assert rows("parts") == [{"k": "b", "x": 1}]

    run(parts(pd.DataFrame({"k": [], "x": []}, dtype=object)), key="b")
    assert rows("parts") == []


def test_files_can_be_divided_by_more_than_the_keys(
    run: Run, rows: Rows, lake: Path
) -> None:
    both = rows_of("a", "b").append_column("y", pa.array([1, 2]))
    asset = parts(both, partition_by=["k", "y"])
    run(asset, keys=("a", "b"))
    assert DeltaTable(str(lake / "parts")).metadata().partition_columns == ["k", "y"]

    run(parts(both.slice(0, 1), partition_by=["k", "y"]), key="a")
    assert [row["k"] for row in rows("parts")] == ["a", "b"]

    with pytest.raises(PartitionError, match="is partitioned by"):
        run(parts(both.slice(0, 1)), key="a")
