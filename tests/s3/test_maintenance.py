"""Maintenance of tables on an object store."""

import pyarrow as pa

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake, Location
from dagster_dfsession.delta.maintain import maintain
from dagster_dfsession.delta.maintained import existing_table
from dagster_dfsession.delta.orphans import find_orphans, remove_orphans
from dagster_dfsession.delta.predicate import In
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.restore import repair, restore
from dagster_dfsession.delta.vacuum import NeededVersion, vacuum
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.profile.maintenance import MaintenancePolicy

KEYS = ("a b", "100%", "ü", "a%20b")


def write(place: Location, key: str, x: int) -> None:
    request = WriteRequest(
        location=place,
        partitioned=True,
        predicate=In("k", (key,)),
        partition_by=("k",),
    )
    write_table(request, pa.table({"k": [key], "x": [x]}).to_reader())


def rows(place: Location, version: int | None = None) -> list[object]:
    table = existing_table(place, version)
    found = pa.table(pa.RecordBatchReader.from_stream(table.scan()))
    return sorted(found["x"].to_pylist(), key=str)


def put(place: Location, path: str) -> None:
    LakeFiles(place).write_if_absent(path, b"left")


def test_all_steps_run_on_an_object_store(s3_lake: Lake) -> None:
    place = s3_lake.table(["t"])
    for x in range(2):
        for key in KEYS:
            write(place, key, x)
    put(place, "k=a/left.parquet")
    put(place, "_change_data/left.parquet")

    policy = MaintenancePolicy(retain_hours=0, orphan_hours=0, checkpoint_every=1)
    done = {each.step: each for each in maintain(place, policy)}

    assert done["vacuum"].metrics["files_removed"] == len(KEYS)
    assert done["orphans"].files == ("k=a/left.parquet",)
    assert done["checkpoint"].metrics["checkpoints_written"] == 1
    assert rows(place) == [1] * len(KEYS)
    kept = [entry.path for entry in LakeFiles(place).every()]
    assert "_change_data/left.parquet" in kept
    # The server keeps `k=a` itself: to it, that was a directory.
    assert len([p for p in kept if p.startswith("k=") and ".parquet" in p]) == 4


def test_orphans_are_told_from_what_the_table_has(s3_lake: Lake) -> None:
    place = s3_lake.table(["raw"])
    below = s3_lake.table(["raw", "t"])
    for key in KEYS:
        write(place, key, 1)
        write(below, key, 2)
    put(place, "part-0.parquet")
    put(below, "part-0.parquet")

    assert find_orphans(place, older_than_hours=1) == []
    (found,) = find_orphans(place, older_than_hours=0)
    assert (found.path, found.bytes) == ("part-0.parquet", 4)

    assert remove_orphans(place, older_than_hours=0).metrics["files_removed"] == 1
    assert find_orphans(place, older_than_hours=0) == []
    assert len(find_orphans(below, older_than_hours=0)) == 1
    assert (rows(place), rows(below)) == ([1] * 4, [2] * 4)


def test_needed_versions_outlive_a_vacuum(s3_lake: Lake) -> None:
    place = s3_lake.table(["t"])
    for x in range(3):
        write(place, "a b", x)

    done = vacuum(
        place,
        retain_hours=0,
        replayable="keep",
        needed=lambda: [NeededVersion(1, "run 1")],
    )

    assert (done.metrics["files_kept"], done.metrics["files_removed"]) == (1, 1)
    assert rows(place, 1) == [0]
    restore(place, 1)
    assert rows(place) == [0]


def test_what_is_lost_is_found(s3_lake: Lake) -> None:
    place = s3_lake.table(["t"])
    write(place, "a", 1)
    write(place, "b", 2)
    (lost,) = [e.path for e in LakeFiles(place).every() if e.path.startswith("k=a/")]
    LakeFiles(place).remove(lost)
    LakeFiles(place).remove(lost)

    assert repair(place).files == (lost,)
    repair(place, dry_run=False)
    assert rows(place) == [2]
