import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.log import (
    ASSET,
    DATA_VERSION,
    PARTITIONS,
    RUN_ID,
    SESSION_HASH,
)
from dagster_dfsession.delta.optimize import optimize
from dagster_dfsession.delta.table_history import HISTORY, history
from dagster_dfsession.errors import DeltaError
from tests.delta.writing import owning, write


def column(place: Location, name: str, **options: Any) -> list[Any]:
    return history(place, **options)[name].to_pylist()


def test_each_commit_tells_who_wrote_what(place: Location) -> None:
    stated = {
        RUN_ID: "run1",
        ASSET: "raw/flights",
        SESSION_HASH: "abc",
        DATA_VERSION: "v1",
        PARTITIONS: '["b", "a"]',
    }
    before = dt.datetime.now(dt.timezone.utc) - dt.timedelta(seconds=1)
    write(
        place,
        {"k": ["a", "b"], "x": [1, 2]},
        commit_metadata=stated,
        **owning("a", "b"),
    )

    row, created = history(place).to_pylist()

    assert row.pop("timestamp") > before
    assert row.pop("bytes_added") > 0
    assert row == {
        "version": 1,
        "operation": "WRITE",
        "run_id": "run1",
        "asset": "raw/flights",
        "partitions": ["a", "b"],
        "session_hash": "abc",
        "data_version": "v1",
        "changes_data": True,
        "rows_added": 2,
        "rows_removed": 0,
        "files_added": 2,
        "files_removed": 0,
    }
    assert (created["version"], created["run_id"]) == (0, None)


def test_rows_come_and_go(place: Location) -> None:
    write(place, {"x": [1, 2, 3]})
    write(place, {"x": [4]}, mode="append")
    optimize(place)
    write(place, {"x": [9]})

    assert column(place, "rows_added") == [1, 4, 1, 3]
    assert column(place, "rows_removed") == [4, 4, 0, 0]
    assert column(place, "files_removed") == [1, 2, 0, 0]
    assert column(place, "changes_data") == [True, False, True, True]


def test_an_older_version_has_an_older_history(place: Location) -> None:
    for x in range(3):
        write(place, {"x": [x]})

    assert column(place, "version") == [2, 1, 0]
    assert column(place, "version", version=1) == [1, 0]


def test_a_commit_that_says_nothing_of_itself_is_there(place: Location) -> None:
    write(place, {"x": [1]})
    write(place, {"x": [2]}, mode="append")
    log = Path(place.uri, "_delta_log", f"{1:020}.json")
    lines = [line for line in log.read_text().splitlines() if "commitInfo" not in line]
    log.write_text("\n".join(lines))

    first, second = history(place).to_pylist()
    assert (first["version"], first["operation"], first["timestamp"]) == (1, None, None)
    assert (first["rows_added"], second["rows_added"]) == (1, 1)
    assert len(DeltaTable(place.uri).history()) == 1


def test_what_nobody_counted_is_not_known(place: Location) -> None:
    write(place, {"x": [1]})
    write(place, {"x": [2]})
    log = Path(place.uri, "_delta_log", f"{0:020}.json")
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        action.get("add", {}).pop("stats", None)
    log.write_text("\n".join(map(json.dumps, actions)))

    assert column(place, "rows_added") == [1, None]
    assert column(place, "rows_removed") == [None, 0]


def test_a_history_has_its_columns_and_needs_a_table(place: Location) -> None:
    with pytest.raises(DeltaError, match="there is no Delta table here"):
        history(place)
    write(place, {"x": [1]})
    assert history(place).schema == HISTORY
