"""From Dagster's partitions and metadata to columns, keys and modes."""

import datetime as dt
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.partitions import MultiKeys, StaticKeys
from dagster_dfsession.delta.windows import TimeWindows
from dagster_dfsession.errors import DeltaError, LocationError, PartitionError
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.steps.partitions import (
    asset_target,
    partition_request,
    plain_metadata,
)

UTC = dt.timezone.utc
STATIC = dg.StaticPartitionsDefinition(["b", "a"])
DAILY = dg.DailyPartitionsDefinition("2026-03-01")
HOURLY = dg.HourlyPartitionsDefinition("2026-03-01-00:00")
TWO_TIMES = dg.MultiPartitionsDefinition({"seen": DAILY, "made": HOURLY})


def target(tmp_path: Path, metadata: dict[str, Any], **options: Any) -> Target:
    given: dict[str, Any] = {
        "mode": "overwrite",
        "schema_mode": "strict",
        "partitions": None,
        "partition_keys": (),
    }
    return asset_target(
        Lake(str(tmp_path)), ["raw", "up"], metadata, **(given | options)
    )


def test_an_asset_goes_to_the_place_its_key_names(tmp_path: Path) -> None:
    found = target(tmp_path, {})
    assert found.location.uri == f"{tmp_path}/raw/up"
    assert (found.mode, found.schema_mode, found.partitions) == (
        "overwrite",
        "strict",
        None,
    )
    assert found.name == "raw/up"


def test_metadata_wins_over_the_io_manager(tmp_path: Path) -> None:
    stated = {"mode": "append", "schema_mode": dg.MetadataValue.text("merge")}
    found = target(tmp_path, stated)
    assert (found.mode, found.schema_mode) == ("append", "merge")


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (None, None),
        ("k", ("k",)),
        (["k", "l"], ("k", "l")),
        (dg.MetadataValue.json(["k"]), ("k",)),
        ([], ()),
    ],
    ids=str,
)
def test_partition_by_is_one_column_or_several(
    tmp_path: Path, stated: Any, expected: Any
) -> None:
    metadata = {} if stated is None else {"partition_by": stated}
    assert target(tmp_path, metadata).partition_by == expected


@pytest.mark.parametrize("mode", ["", None, "Append", 1])
def test_a_mode_that_is_none_is_refused(tmp_path: Path, mode: Any) -> None:
    with pytest.raises(
        DeltaError, match=r"asset 'raw/up' has the mode .* it is one of"
    ):
        target(tmp_path, {"mode": mode})


def test_a_key_that_is_no_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LocationError, match="names no table"):
        asset_target(
            Lake(str(tmp_path)),
            ["..", "up"],
            {},
            mode="overwrite",
            schema_mode="strict",
            partitions=None,
            partition_keys=(),
        )


def test_keys_are_sorted_text_whatever_dagster_hands_over(tmp_path: Path) -> None:
    grid = dg.MultiPartitionsDefinition({"x": STATIC, "y": STATIC})
    keys = [dg.MultiPartitionKey({"x": x, "y": y}) for x, y in ("ba", "ab", "aa")]
    found = target(
        tmp_path,
        {"partition_expr": {"y": "why", "x": "ex"}},
        partitions=grid,
        partition_keys=keys,
    )
    assert found.partition_keys == ("a|a", "a|b", "b|a")
    assert {type(key) for key in found.partition_keys} == {str}
    assert found.partitions == MultiKeys(
        tuple(
            (StaticKeys("ex", (x,)), StaticKeys("why", (y,)))
            for x, y in ("aa", "ab", "ba")
        )
    )
    assert found.name == "raw/up [a|a, a|b, b|a]"


@pytest.mark.parametrize("keys", [None, ()], ids=str)
def test_partitions_without_keys_are_refused(tmp_path: Path, keys: Any) -> None:
    stated = {"partition_expr": "k"}
    with pytest.raises(
        PartitionError, match="'raw/up' has partitions, but this run has"
    ):
        target(tmp_path, stated, partitions=STATIC, partition_keys=keys)


def test_keys_of_a_run_are_none_of_an_asset_without_partitions(tmp_path: Path) -> None:
    found = target(tmp_path, {}, partition_keys=["a"])
    assert (found.partitions, found.partition_keys) == (None, ())


def test_static_keys_are_values_of_their_column() -> None:
    found = partition_request(STATIC, ["b", "a"], "k", "up")
    assert found == StaticKeys("k", ("a", "b"))


def test_time_keys_are_windows_in_the_zone_of_their_definition() -> None:
    vienna = dg.DailyPartitionsDefinition("2026-03-01", timezone="Europe/Vienna")
    found = partition_request(vienna, ["2026-03-29"], "d", "up")
    assert isinstance(found, TimeWindows)
    [(start, end, key)] = found.windows
    assert key == "2026-03-29"
    assert start.astimezone(UTC) == dt.datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert (end.astimezone(UTC) - start.astimezone(UTC)) == dt.timedelta(hours=23)


def test_two_dimensions_of_time_are_two_windows() -> None:
    found = partition_request(
        TWO_TIMES,
        ["2026-03-02-05:00|2026-03-03"],
        {"seen": "s", "made": "m"},
        "up",
    )
    assert isinstance(found, MultiKeys)
    [(made, seen)] = found.keys
    assert isinstance(made, TimeWindows)
    assert isinstance(seen, TimeWindows)
    assert (made.column, made.windows[0][0].hour) == ("m", 5)
    assert (seen.column, seen.windows[0][0].day) == ("s", 3)


@pytest.mark.parametrize("stated", [None, 7, ["k"], {"x": "k"}], ids=str)
def test_a_column_that_is_none_is_refused(stated: Any) -> None:
    with pytest.raises(
        PartitionError, match="asset 'up' has partitions, but its 'part"
    ):
        partition_request(STATIC, ["a"], stated, "up")


@pytest.mark.parametrize(
    "stated", [None, "k", {"x": "k"}, {"seen": "s", "x": "k"}], ids=str
)
def test_columns_that_are_not_one_for_each_dimension_are_refused(stated: Any) -> None:
    with pytest.raises(
        PartitionError, match="asset 'up' has the dimensions made, seen"
    ):
        partition_request(TWO_TIMES, [], stated, "up")


def test_metadata_is_read_as_it_was_written_down() -> None:
    assert plain_metadata(None) == {}
    assert plain_metadata(
        {"a": 1, "b": dg.MetadataValue.int(2), "c": dg.MetadataValue.json({"d": [3]})}
    ) == {"a": 1, "b": 2, "c": {"d": [3]}}
