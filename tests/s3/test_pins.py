"""Pins and changes of tables on an object store."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from dagster_dfsession.delta.changes import START, changes
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake, open_table
from dagster_dfsession.pool.pins import RunPins, remove_pins, stale_pins
from tests.delta.writing import write

KEY = ["raw", "t"]


def commit(lake: Lake) -> None:
    write(lake.table(KEY), {"k": ["a/ü", "b"], "x": [1, 2]}, mode="append")


def read(lake: Lake, run_id: str = "one") -> int | None:
    table = RunPins(run_id, shared=True).open(lake, lake.table(KEY))
    return None if table is None else table.version()


def test_processes_of_a_run_agree_on_a_version_and_leave_nothing(s3_lake: Lake) -> None:
    commit(s3_lake)
    start = threading.Barrier(6)

    def one(number: int) -> int | None:
        start.wait()
        for _ in range(number % 3):
            commit(s3_lake)
        return read(s3_lake)

    with ThreadPoolExecutor(6) as threads:
        found = set(threads.map(one, range(6)))
    assert len(found) == 1

    commit(s3_lake)
    newest = read(s3_lake, "two")
    assert newest is not None
    RunPins("one", shared=True).written(s3_lake, s3_lake.table(KEY), newest)
    assert read(s3_lake) == newest
    files = LakeFiles(s3_lake.root)
    assert stale_pins(files, lambda _: True) == ("one", "two")
    assert remove_pins(files, "one") == 2
    assert stale_pins(files, lambda _: True) == ("two",)


def test_changes_are_read_with_the_options_of_the_table(s3_lake: Lake) -> None:
    place = s3_lake.table(KEY)
    for _ in range(2):
        write(
            place,
            {"k": ["a/ü", "b"], "x": [1, 2]},
            mode="append",
            partition_by=("k",),
        )
    table = open_table(place)
    assert table is not None

    found = [changes(table, place, since).to_table() for since in (START, 1)]

    assert [each.num_rows for each in found] == [4, 2]
    last = found[1].sort_by("x").select(["k", "x", "_change_type", "_commit_version"])
    assert last.equals(
        pa.table(
            {
                "k": ["a/ü", "b"],
                "x": [1, 2],
                "_change_type": ["insert", "insert"],
                "_commit_version": [2, 2],
            }
        )
    )
