"""What is said of each partition key alone."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import DeltaTable

Run = Callable[..., dg.ExecuteInProcessResult]

STATIC = dg.StaticPartitionsDefinition(["a", "b", "c"])
HOURLY = dg.HourlyPartitionsDefinition("2026-03-01-00:00", end_date="2026-03-03-00:00")
DAILY = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-03-20")
GRID = dg.MultiPartitionsDefinition({"day": DAILY, "kind": STATIC})
VIENNA = dg.HourlyPartitionsDefinition(
    "2026-10-24-00:00", end_date="2026-10-26-00:00", timezone="Europe/Vienna"
)
NOON = dt.datetime(2026, 3, 1, 12)


def parts(
    value: Any, definition: dg.PartitionsDefinition, expression: Any, **metadata: Any
) -> dg.AssetsDefinition:
    @dg.asset(
        name="parts",
        partitions_def=definition,
        metadata={"partition_expr": expression, **metadata},
    )
    def asset() -> Any:
        return value

    return asset


def said(result: dg.ExecuteInProcessResult, key: str) -> dict[str, Any]:
    """Return an integer of each partition's event, by its key."""
    return {
        str(event.partition): event.metadata[key].value
        if key in event.metadata
        else None
        for event in result.asset_materializations_for_node("parts")
    }


def test_a_range_counts_rows_and_bytes_of_each_key(run: Run, lake: Path) -> None:
    value = pa.table({"k": ["a", "b", "a", "a"], "x": [1, 2, 3, 4]})
    result = run(parts(value, STATIC, "k"), keys=("a", "c"))

    assert said(result, "dagster/row_count") == {"a": 3, "b": 1, "c": 0}
    files = pa.table(DeltaTable(str(lake / "parts")).get_add_actions(flatten=True))
    sizes = dict(
        zip(
            files["partition.k"].to_pylist(),
            files["size_bytes"].to_pylist(),
            strict=True,
        )
    )
    assert said(result, "dagster/size_bytes") == {**sizes, "c": 0}
    assert said(result, "dfsession/table_version") == dict.fromkeys("abc", 1)


def test_a_range_without_rows_has_none_of_each_key(run: Run) -> None:
    empty = pa.table({"k": pa.array([], pa.string()), "x": pa.array([], pa.int64())})
    for _ in range(2):
        result = run(parts(empty, STATIC, "k"), keys=("a", "c"))
        assert said(result, "dagster/row_count") == dict.fromkeys("abc", 0)


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_rows_of_timestamps_are_counted_while_they_pass(
    run: Run, zone: str | None
) -> None:
    """No file says how many there are: its directory is no hour."""
    times = [NOON, NOON + dt.timedelta(minutes=59), NOON + dt.timedelta(hours=2)]
    value = pa.table({"t": pa.array(times, pa.timestamp("us", zone)), "x": [1, 2, 3]})
    result = run(
        parts(value, HOURLY, "t"), keys=("2026-03-01-12:00", "2026-03-01-14:00")
    )

    assert said(result, "dagster/row_count") == {
        "2026-03-01-12:00": 2,
        "2026-03-01-13:00": 0,
        "2026-03-01-14:00": 1,
    }
    assert set(said(result, "dagster/size_bytes").values()) == {None}


def test_rows_of_several_dimensions_are_counted_for_each_key(run: Run) -> None:
    found = [(1, "a"), (1, "a"), (2, "a"), (2, "b")]
    rows = [
        {"d": dt.date(2026, 3, day), "k": kind, "x": at}
        for at, (day, kind) in enumerate(found)
    ]
    value = pa.Table.from_pylist(rows)
    result = run(
        parts(value, GRID, {"day": "d", "kind": "k"}),
        keys=("2026-03-01|a", "2026-03-02|b"),
    )
    assert said(result, "dagster/row_count") == {
        "2026-03-01|a": 2,
        "2026-03-01|b": 0,
        "2026-03-02|a": 1,
        "2026-03-02|b": 1,
    }


def test_one_key_has_the_rows_and_bytes_of_its_own(run: Run) -> None:
    both = pa.table({"k": ["a", "b"], "x": [1, 2]})
    run(parts(both, STATIC, "k"), keys=("a", "b"))
    result = run(parts(both.slice(0, 1), STATIC, "k"), key="a")
    assert said(result, "dagster/row_count") == {"a": 1}
    assert said(result, "dagster/size_bytes")["a"] > 0


def test_bytes_that_hold_the_rows_of_neighbours_are_not_said(run: Run) -> None:
    """One file has both hours; writing one of them again rewrites the other."""
    times = [NOON, NOON + dt.timedelta(hours=1)]
    both = pa.table({"t": pa.array(times, pa.timestamp("us")), "x": [1, 2]})
    asset = parts(both.slice(0, 1), HOURLY, "t")

    alone = run(asset, key="2026-03-01-12:00")
    assert said(alone, "dagster/size_bytes")["2026-03-01-12:00"] > 0

    run(parts(both, HOURLY, "t"), keys=("2026-03-01-12:00", "2026-03-01-13:00"))
    again = run(asset, key="2026-03-01-12:00")
    assert said(again, "dagster/row_count") == {"2026-03-01-12:00": 1}
    assert said(again, "dagster/size_bytes") == {"2026-03-01-12:00": None}


def test_append_says_what_the_key_has_now(run: Run) -> None:
    value = pa.table({"k": ["a", "a"], "x": [1, 2]})
    results = [run(parts(value, STATIC, "k", mode="append"), key="a") for _ in "12"]
    assert [said(each, "dagster/row_count") for each in results] == [{"a": 2}, {"a": 4}]


def test_append_to_hours_says_no_number_that_nobody_counted(run: Run) -> None:
    value = pa.table({"t": pa.array([NOON], pa.timestamp("us")), "x": [1]})
    asset = parts(value, HOURLY, "t", mode="append")
    assert said(run(asset, key="2026-03-01-12:00"), "dagster/row_count") == {
        "2026-03-01-12:00": None
    }


def test_an_hour_that_shows_twice_is_written_but_not_told_apart(run: Run) -> None:
    """On a clock without time zone nobody knows which of the two a row belongs to."""
    times = [dt.datetime(2026, 10, 25, 2, 30)] * 2
    value = pa.table({"t": pa.array(times, pa.timestamp("us")), "x": [1, 2]})
    result = run(
        parts(value, VIENNA, "t"),
        keys=("2026-10-25-01:00", "2026-10-25-03:00"),
    )
    assert set(said(result, "dagster/row_count").values()) == {None}
