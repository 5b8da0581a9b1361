"""What the rows of an opened table are called."""

import json
import shutil
from pathlib import Path

import pyarrow as pa

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.log import DATA_VERSION, PARTITIONS
from dagster_dfsession.pool.tables import OpenedTable, RunTables
from tests.delta.writing import owning, write


def opened(lake: Lake) -> OpenedTable:
    tables = RunTables("public")
    tables.add_lake(lake)
    found = tables.find(("public", "sales"))
    assert found is not None
    return found


def put(lake: Lake, stated: str, key: str) -> None:
    told = {DATA_VERSION: stated, PARTITIONS: json.dumps([key])}
    rows = pa.table({"k": [key], "x": [1]})
    write(lake.table(("sales",)), rows, commit_metadata=told, **owning(key))


def test_each_set_of_partitions_has_a_content_of_its_own(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    put(lake, "v1", "a")
    put(lake, "v2", "b")
    table = opened(lake)

    contents = [table.content(keys) for keys in (None, ("a",), ("b",))]

    assert len(set(contents)) == 3
    assert contents == [opened(lake).content(keys) for keys in (None, ("a",), ("b",))]


def test_the_log_is_read_once_for_a_content(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    put(lake, "v1", "a")
    table = opened(lake)
    before = table.content(("a",))

    shutil.rmtree(tmp_path / "sales" / "_delta_log")

    assert table.content(("a",)) == before
