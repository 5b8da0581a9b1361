"""Inputs as they were: by version, and by the moment at which they were so."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable, write_deltalake

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.travel import version_at
from dagster_dfsession.errors import DeltaError

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]
UTC = dt.timezone.utc


def commit_at(place: Path, *hours: int | None) -> None:
    """Commit once at each hour of a day; None: without a time."""
    for version, hour in enumerate(hours):
        write_deltalake(str(place), pa.table({"x": [version]}), mode="append")
        log = place / "_delta_log" / f"{version:020}.json"
        actions = [json.loads(line) for line in log.read_text().splitlines()]
        for action in actions:
            if "commitInfo" in action:
                del action["commitInfo"]["timestamp"]
                if hour is not None:
                    moment = dt.datetime(2013, 1, 1, hour, tzinfo=UTC).timestamp()
                    action["commitInfo"]["timestamp"] = int(moment * 1000)
        log.write_text("\n".join(map(json.dumps, actions)))


def at(place: Path, hour: int, minute: int = 0) -> int:
    moment = dt.datetime(2013, 1, 1, hour, minute, tzinfo=UTC)
    return version_at(DeltaTable(str(place)), Location(str(place)), moment)


def reading(deps: Any = (), **metadata: Any) -> dg.AssetsDefinition:
    def down(dfsession: DataFusionSessionResource, up: DataFrame) -> DataFrame:
        both = "SELECT (SELECT count(*) FROM up) AS by_sql, count(*) AS n FROM input"
        return dfsession.sql(both, input=up)

    return dg.asset(down, deps=deps, ins={"up": dg.AssetIn(metadata=metadata)})


def read(run: Run, **metadata: Any) -> dg.ExecuteInProcessResult:
    return run(dg.AssetSpec("up"), reading(**metadata), selection=["down"])


def test_a_moment_means_the_version_that_was_newest_then(tmp_path: Path) -> None:
    commit_at(tmp_path, 1, 2, 5)

    found = {(1, 0): 0, (1, 59): 0, (2, 0): 1, (4, 59): 1, (5, 0): 2, (23, 0): 2}
    assert {moment: at(tmp_path, *moment) for moment in found} == found


def test_before_the_first_version_there_is_none_and_the_first_is_named(
    tmp_path: Path,
) -> None:
    commit_at(tmp_path, 3, 4)

    with pytest.raises(DeltaError) as refused:
        at(tmp_path, 2)

    assert "no version of 2013-01-01T02:00:00+00:00 or earlier" in str(refused.value)
    assert "version 0 of 2013-01-01T03:00:00+00:00" in str(refused.value)


def test_a_commit_without_a_time_is_not_guessed_about(tmp_path: Path) -> None:
    commit_at(tmp_path, 1, None, 5)

    assert at(tmp_path, 6) == 2
    with pytest.raises(DeltaError, match="version 1 did not state when it committed"):
        at(tmp_path, 3)


MOMENTS = {
    "text": "2013-01-01T02:30:00Z",
    "offset": "2013-01-01T04:30:00+02:00",
    "dagster": dg.MetadataValue.timestamp(dt.datetime(2013, 1, 1, 2, 30, tzinfo=UTC)),
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_an_input_is_read_as_it_was_at_a_moment(
    run: Run, lake: Path, rows: Rows, moment: Any
) -> None:
    commit_at(lake / "up", 1, 2, 5)

    result = read(run, timestamp=moment)

    assert rows("down") == [{"by_sql": 2, "n": 2}]
    [event] = result.asset_materializations_for_node("down")
    inputs: Any = event.metadata["dfsession/inputs"].value
    assert {row.data["version"] for row in inputs.records} == {1}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "both": (
        {"version": 1, "timestamp": "2013-01-01T02:30:00Z"},
        "version 1 and timestamp '2013-01-01T02:30:00Z' were both given",
    ),
    "naive": (
        {"timestamp": "2013-01-01T02:30:00"},
        "has no time zone.*write '2013-01-01T02:30:00Z' for UTC",
    ),
    "day": ({"timestamp": "2013-01-01"}, "has no time zone"),
    "words": ({"timestamp": "yesterday"}, "'yesterday' is no time of ISO 8601"),
    "number": ({"timestamp": 5}, "the timestamp 5 is no time of ISO 8601"),
    "early": (
        {"timestamp": "2012-01-01T00:00:00Z"},
        "the first one known is version 0",
    ),
    "text": ({"version": "1"}, "'1' is no version; versions are whole numbers"),
    "flag": ({"version": True}, "True is no version"),
    "negative": ({"version": -1}, "-1 is no version"),
    "absent": ({"version": 9}, "The table has no such version"),
}


@pytest.mark.parametrize(("metadata", "message"), REFUSED.values(), ids=REFUSED)
def test_what_names_no_version_is_refused_and_nothing_is_written(
    run: Run, lake: Path, metadata: dict[str, Any], message: str
) -> None:
    commit_at(lake / "up", 1, 2, 5)

    with pytest.raises(DeltaError, match=message):
        read(run, **metadata)

    assert not (lake / "down").exists()


def test_a_moment_to_come_is_the_version_of_the_run(
    run: Run, lake: Path, rows: Rows
) -> None:
    """What is committed while the run goes on stays out of it."""
    commit_at(lake / "up", 1)

    @dg.asset
    def first(up: DataFrame) -> DataFrame:
        write_deltalake(str(lake / "up"), pa.table({"x": [9]}), mode="append")
        return up

    later = reading(deps=[first], timestamp="2999-01-01T00:00:00Z")
    run(dg.AssetSpec("up"), first, later, selection=["first", "down"])

    assert rows("down") == [{"by_sql": 1, "n": 1}]
