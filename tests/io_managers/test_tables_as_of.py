"""Tables that a step asks the session for, as they were."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame, col
from deltalake import write_deltalake

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import DeltaError, TableNotFoundError
from dagster_dfsession.pool.reading import NATIVE, Reading, bound

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]
Query = Callable[[DataFusionSessionResource], Any]


@pytest.fixture(autouse=True)
def versions(lake: Path) -> None:
    """Two tables of three versions; version n has n + 1 rows."""
    for key in ("up", "raw/up"):
        for x in range(3):
            rows = pa.table({"x": [x]})
            write_deltalake(str(lake / key), rows, mode="append")


def made(run: Run, query: Query, name: str = "down") -> Any:
    def asset(dfsession: DataFusionSessionResource) -> Any:
        return query(dfsession)

    result = run(dg.asset(asset, name=name))
    [event] = result.asset_materializations_for_node(name)
    return event


def inputs(event: Any) -> list[tuple[str, int]]:
    rows = event.metadata["dfsession/inputs"].value.records
    return sorted((row.data["table"], row.data["version"]) for row in rows)


def xs(rows: list[dict[str, Any]]) -> list[int]:
    return [row["x"] for row in rows]


@pytest.mark.parametrize("name", ["up", "raw.up"])
def test_a_table_is_read_as_it_was_by_the_engines_own_scan(
    run: Run, rows: Rows, name: str
) -> None:
    readings: list[Reading] = []

    def old(dfsession: DataFusionSessionResource) -> DataFrame:
        frame = dfsession.table(name, version=0)
        readings.append(bound(frame, dfsession.lease, dfsession.run.tables))
        return frame

    event = made(run, old)

    assert xs(rows("down")) == [0]
    assert inputs(event) == [(f"{name}@0", 0)]
    [read] = readings[0].tables.values()
    assert (read.how, read.files, read.total) == (NATIVE, 1, 1)


def test_a_moment_to_come_is_the_newest_version(run: Run, rows: Rows) -> None:
    event = made(
        run,
        lambda dfsession: dfsession.table("up", timestamp="2999-01-01T00:00:00Z"),
    )

    assert xs(rows("down")) == [0, 1, 2]
    assert inputs(event) == [("up@2", 2)]


def test_versions_of_one_table_are_told_apart(run: Run, rows: Rows) -> None:
    def came(dfsession: DataFusionSessionResource) -> DataFrame:
        old = dfsession.table("up", version=0)
        newer = dfsession.table("up", version=1)
        return dfsession.table("up").except_all(newer).union(old)

    event = made(run, came)

    assert xs(rows("down")) == [0, 2]
    assert inputs(event) == [("up", 2), ("up@0", 0), ("up@1", 1)]


def test_a_query_can_name_a_version_that_was_asked_for(run: Run, rows: Rows) -> None:
    def lost(dfsession: DataFusionSessionResource) -> DataFrame:
        dfsession.table("up", version=1)
        return dfsession.sql('SELECT x FROM up EXCEPT SELECT x FROM "up@1"')

    event = made(run, lost)

    assert xs(rows("down")) == [2]
    assert inputs(event) == [("up", 2), ("up@1", 1)]


def test_its_columns_go_by_the_name_of_the_table(run: Run, rows: Rows) -> None:
    made(run, lambda dfsession: dfsession.table("up", version=1).select(col("up.x")))

    assert xs(rows("down")) == [0, 1]


def test_a_version_is_an_input_of_what_python_made_of_it(run: Run, rows: Rows) -> None:
    event = made(
        run, lambda dfsession: dfsession.table("up", version=1).to_arrow_table()
    )

    assert xs(rows("down")) == [0, 1]
    assert inputs(event) == [("up@1", 1)]


def test_the_same_version_is_the_same_data_whatever_the_table_is_by_now(
    run: Run, lake: Path
) -> None:
    def version() -> str:
        event = made(run, lambda dfsession: dfsession.table("up", version=1))
        return str(event.tags["dagster/data_version"])

    before = version()
    write_deltalake(str(lake / "up"), pa.table({"x": [9]}), mode="append")
    assert version() == before


REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "both": (
        {"version": 1, "timestamp": "2013-01-01T00:00:00Z"},
        DeltaError,
        "table up: version 1 and timestamp .* were both given",
    ),
    "negative": ({"version": -1}, DeltaError, "table up: -1 is no version"),
    "flag": ({"version": True}, DeltaError, "True is no version"),
    "absent": ({"version": 9}, DeltaError, "The table has no such version"),
    "naive": ({"timestamp": "2013-01-01"}, DeltaError, "has no time zone"),
    "early": (
        {"timestamp": "2013-01-01T00:00:00Z"},
        DeltaError,
        "the first one known is version 0",
    ),
    "name": ({"name": "upp", "version": 0}, TableNotFoundError, "Did you mean"),
    "frame": ({"name": "mine", "version": 0}, DeltaError, "this one was registered"),
}


@pytest.mark.parametrize(("asked", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_names_no_version_is_refused_and_nothing_is_written(
    run: Run,
    lake: Path,
    asked: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    def asking(dfsession: DataFusionSessionResource) -> DataFrame:
        dfsession.register("mine", pa.table({"x": [1]}))
        dfsession.table("up")
        return dfsession.table(**{"name": "up", **asked})

    with pytest.raises(error, match=message):
        made(run, asking)
    assert not (lake / "down").exists()
