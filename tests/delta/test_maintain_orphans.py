import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.maintain import checkpoint
from dagster_dfsession.delta.maintained import existing_table
from dagster_dfsession.delta.orphans import find_orphans, remove_orphans
from tests.delta.writing import owning, rows_of, write


def left(place: Location, name: str, *, hours: float = 25) -> Path:
    """A file that a writer left there so many hours ago."""
    path = Path(place.uri, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"abc")
    then = time.time() - hours * 3600
    os.utime(path, (then, then))
    return path


def orphans(place: Location, hours: int = 24) -> list[str]:
    return [entry.path for entry in find_orphans(place, older_than_hours=hours)]


@pytest.mark.parametrize(
    "name",
    [
        "part-0.parquet",
        "k=a/part-0.parquet",
        "part-0.parquet#1",
        "x/p.parquet",
        f"_delta_log/{2:020}.json#1",
    ],
)
def test_what_no_version_names_is_found_and_removed(place: Location, name: str) -> None:
    write(place, {"k": ["a"], "x": [1]}, **owning("a"))
    path = left(place, name)

    assert orphans(place) == [name]
    assert remove_orphans(place, dry_run=True).metrics["files_removed"] == 0
    assert path.is_file()

    done = remove_orphans(place)
    assert dict(done.metrics) == {
        "files_removable": 1,
        "files_removed": 1,
        "bytes_removed": 3,
    }
    assert not path.exists()
    assert orphans(place, 0) == []
    assert len(rows_of(place)) == 1


@pytest.mark.parametrize(
    "name",
    [
        "_delta_log/x.parquet",
        "_change_data/cdc.parquet",
        "_dfsession/records/a.parquet",
        ".hidden/a.parquet",
        "notes.txt",
        "deletion_vector_1.bin",
        "below/_delta_log/x.parquet",
        "below/part.parquet",
        "below/deeper/part.parquet",
    ],
)
def test_what_is_not_the_tables_own_data_is_never_an_orphan(
    place: Location, name: str
) -> None:
    write(place, {"x": [1]})
    write(Location(f"{place.uri}/below"), {"x": [1]})
    left(place, name)

    assert orphans(place, 0) == []


def test_a_table_below_a_table_keeps_its_files(place: Location) -> None:
    below = Location(f"{place.uri}/k/below")
    write(place, {"x": [1]})
    write(below, {"x": [1]})
    left(below, "orphan.parquet")

    assert orphans(place) == []
    assert orphans(below) == ["orphan.parquet"]


def test_a_young_file_may_belong_to_a_running_write(place: Location) -> None:
    write(place, {"x": [1]})
    left(place, "young.parquet", hours=23)

    assert orphans(place) == []
    assert orphans(place, 22) == ["young.parquet"]


def test_files_of_any_version_in_the_log_are_no_orphans(place: Location) -> None:
    for key in "a b", "100%", "ü", "a%20b":
        write(place, {"k": [key], "x": [1]}, **owning(key))
    assert orphans(place, 0) == []

    write(place, {"k": ["c"], "x": [1]})
    assert orphans(place, 0) == []


def test_a_partition_column_may_begin_with_an_underscore(place: Location) -> None:
    write(place, {"_k": ["a"], "x": [1]}, partition_by=("_k",))
    left(place, "_k=a/part.parquet")
    left(place, "_other=a/part.parquet")

    assert orphans(place) == ["_k=a/part.parquet"]


def test_where_the_log_was_cleaned_up_checkpoints_say_what_is_named(
    place: Location,
) -> None:
    write(place, {"x": [0]})
    for x in range(1, 4):
        write(place, {"x": [x]}, mode="append")
    checkpoint(place)
    write(place, {"x": [9]}, mode="append")
    for version in range(4):
        Path(place.uri, f"_delta_log/{version:020}.json").unlink()
    left(place, "orphan.parquet")

    assert orphans(place, 0) == ["orphan.parquet"]
    remove_orphans(place, older_than_hours=0)
    assert [row["x"] for row in rows_of(place)] == [0, 1, 2, 3, 9]


KILLED = """
import os, random, signal, sys
import pyarrow as pa
from deltalake import write_deltalake
place = sys.argv[1]
before = len(os.listdir(place))
def batches():
    for _ in range(100):
        if len(os.listdir(place)) > before:
            os.kill(os.getpid(), signal.SIGKILL)
        noise = pa.py_buffer(random.randbytes(1_600_000))
        yield pa.record_batch({"x": pa.Array.from_buffers(pa.int64(), 200_000, [None, noise])})
rows = pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), batches())
write_deltalake(place, rows, mode="append", target_file_size=1_000_000)
"""


def test_what_a_killed_writer_leaves_is_found(place: Location) -> None:
    write(place, {"x": [1]})
    named = {Path(uri).name for uri in existing_table(place).file_uris()}

    killed = subprocess.run([sys.executable, "-c", KILLED, place.uri], check=False)

    assert killed.returncode == -signal.SIGKILL
    there = {p.name for p in Path(place.uri).glob("*.parquet*")} - named
    assert there
    assert set(orphans(place, 0)) == there
    assert remove_orphans(place, older_than_hours=0).metrics["files_removed"] > 0
    assert rows_of(place) == [{"x": 1}]
