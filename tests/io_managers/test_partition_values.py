"""A partition column that the rows lack is added where one key says its value."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import PartitionError

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

STATIC = dg.StaticPartitionsDefinition(["a", "b"])
DAILY = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-03-20")
VIENNA = dg.DailyPartitionsDefinition(
    "2026-03-01", end_date="2026-03-20", timezone="Europe/Vienna"
)
HOURLY = dg.HourlyPartitionsDefinition("2026-03-01-00:00", end_date="2026-03-03-00:00")
MONTHLY = dg.MonthlyPartitionsDefinition("2026-01-01", end_date="2026-06-01")
GRID = dg.MultiPartitionsDefinition({"day": DAILY, "kind": STATIC})

ONE = pa.table({"x": [1]})
UTC = dt.timezone.utc


def parts(
    value: Any, definition: dg.PartitionsDefinition, expression: Any = "k", **more: Any
) -> dg.AssetsDefinition:
    metadata = {"partition_expr": expression, **more}

    @dg.asset(name="up", partitions_def=definition, metadata=metadata)
    def asset(dfsession: DataFusionSessionResource) -> Any:
        return dfsession.sql(value) if isinstance(value, str) else value

    return asset


@pytest.mark.parametrize(
    ("definition", "key", "held", "value"),
    [
        (STATIC, "a", pa.string(), "a"),
        (DAILY, "2026-03-02", pa.date32(), dt.date(2026, 3, 2)),
        (VIENNA, "2026-03-02", pa.date32(), dt.date(2026, 3, 2)),
        (MONTHLY, "2026-02-01", pa.date32(), dt.date(2026, 2, 1)),
        (
            HOURLY,
            "2026-03-01-05:00",
            pa.timestamp("us", tz="UTC"),
            dt.datetime(2026, 3, 1, 5, tzinfo=UTC),
        ),
    ],
)
def test_a_new_table_gets_the_type_that_the_keys_have(  # noqa: PLR0917  # its cases
    run: Run, lake: Path, rows: Rows, definition: Any, key: str, held: Any, value: Any
) -> None:
    run(parts("SELECT 1 AS x", definition), key=key)

    exported: Any = DeltaTable(str(lake / "up")).schema().to_arrow()
    assert pa.schema(exported).field("k").type == held
    assert rows("up") == [{"k": value, "x": 1}]


@pytest.mark.parametrize(
    ("column", "definition", "key", "value"),
    [
        (pa.array([7], pa.int32()), dg.StaticPartitionsDefinition(["7", "8"]), "8", 8),
        (pa.array(["2026-03-01"]), DAILY, "2026-03-02", "2026-03-02"),
        (
            pa.array([dt.datetime(2026, 3, 1)], pa.timestamp("us")),
            DAILY,
            "2026-03-02",
            dt.datetime(2026, 3, 2),
        ),
    ],
)
def test_a_table_that_is_there_says_the_type(  # noqa: PLR0917  # its cases
    run: Run, rows: Rows, column: Any, definition: Any, key: str, value: Any
) -> None:
    first = definition.get_first_partition_key()
    run(parts(pa.table({"k": column, "x": [0]}), definition), key=first)
    run(parts(ONE, definition), key=key)

    assert {"k": value, "x": 1} in rows("up")
    assert len(rows("up")) == 2


def test_every_dimension_that_is_lacking_is_added(run: Run, rows: Rows) -> None:
    both = {"day": "d", "kind": "k"}
    run(parts(ONE, GRID, both), key="2026-03-02|b")
    run(parts(pa.table({"k": ["a"], "x": [2]}), GRID, both), key="2026-03-02|a")

    day = dt.date(2026, 3, 2)
    assert rows("up") == [{"d": day, "k": "a", "x": 2}, {"d": day, "k": "b", "x": 1}]


def test_a_key_is_replaced_alone(run: Run, rows: Rows) -> None:
    for key, x in (("a", 1), ("b", 2), ("a", 3)):
        run(parts(pa.table({"x": [x]}), STATIC), key=key)
    assert rows("up") == [{"k": "a", "x": 3}, {"k": "b", "x": 2}]


def test_no_rows_empty_the_partition(run: Run, rows: Rows) -> None:
    run(parts(ONE, STATIC), key="a")
    run(parts(ONE.slice(1), STATIC), key="a")
    assert rows("up") == []


def test_several_keys_cannot_say_which_row_is_whose(run: Run, lake: Path) -> None:
    with pytest.raises(PartitionError, match="over 2 keys cannot add it: nothing says"):
        run(parts(ONE, STATIC), keys=("a", "b"))
    assert not lake.joinpath("up").exists()


@pytest.mark.parametrize("name", ["K", "region_"])
def test_a_column_of_almost_that_name_is_probably_meant(
    run: Run, lake: Path, name: str
) -> None:
    expression = {"K": "k", "region_": "region"}[name]
    asset = parts(pa.table({name: ["a"], "x": [1]}), STATIC, expression)

    with pytest.raises(
        PartitionError, match=rf"no partition column .*; is it '{name}'"
    ):
        run(asset, key="a")
    assert not lake.joinpath("up").exists()
