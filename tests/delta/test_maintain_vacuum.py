from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from inline_snapshot import snapshot

from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.maintained import existing_table
from dagster_dfsession.delta.restore import restore
from dagster_dfsession.delta.vacuum import NeededVersion, vacuum
from dagster_dfsession.errors import DeltaError
from tests.delta.writing import owning, rows_of, write


def three_overwrites(place: Location) -> None:
    for x in range(3):
        write(place, {"x": [x]})


def rows_at(place: Location, version: int) -> list[Any]:
    return [row["x"] for row in rows_of(place, version)]


def needing(*versions: int) -> Any:
    return lambda: [NeededVersion(v, f"run {v}") for v in versions]


def test_files_of_old_versions_are_listed_and_then_removed(place: Location) -> None:
    three_overwrites(place)

    listed = vacuum(place, retain_hours=0, dry_run=True)
    assert listed.metrics["files_removable"] == len(listed.files) == 2
    assert (listed.metrics["files_removed"], listed.version) == (0, 2)
    assert rows_at(place, 0) == [0]

    done = vacuum(place, retain_hours=0)
    assert done.files == listed.files
    assert done.metrics["files_removed"] == 2
    assert done.metrics["bytes_removed"] > 0
    assert sorted(p.name for p in Path(place.uri).glob("*.parquet")) == [
        Path(uri).name for uri in existing_table(place).file_uris()
    ]


def test_where_nothing_can_go_nothing_is_committed(place: Location) -> None:
    three_overwrites(place)

    assert vacuum(place, retain_hours=1).version == 2
    assert vacuum(place, retain_hours=0, dry_run=True).version == 2
    assert existing_table(place).version() == 2


def test_nobody_is_asked_what_is_needed_unless_files_would_go(place: Location) -> None:
    three_overwrites(place)

    def ask() -> Iterator[NeededVersion]:
        raise AssertionError

    vacuum(place, retain_hours=1, needed=ask)
    vacuum(place, retain_hours=0, replayable="remove", needed=ask)


def test_a_version_that_a_replay_needs_is_not_removed(place: Location) -> None:
    three_overwrites(place)
    before = sorted(Path(place.uri).rglob("*"))

    with pytest.raises(DeltaError) as refused:
        vacuum(place, retain_hours=0, needed=needing(1, 2))

    name = next(p.name for p in before if p.name in str(refused.value))
    text = str(refused.value).replace(place.uri, "LAKE").replace(name, "FILE")
    assert text == snapshot(
        "LAKE: vacuum would remove 1 of 2 files that replays need, and removed nothing. Needed: version 1 (run 1). Files: FILE. To remove the others only, set replayable to 'keep'; to give up those replays, set it to 'remove', or keep_days lower."
    )
    assert sorted(Path(place.uri).rglob("*")) == before


def test_all_but_the_needed_versions_are_removed(place: Location) -> None:
    three_overwrites(place)

    done = vacuum(place, retain_hours=0, replayable="keep", needed=needing(1))

    assert (done.metrics["files_removed"], done.metrics["files_kept"]) == (1, 1)
    assert done.note == "kept for replay: version 1 (run 1)"
    assert rows_at(place, 1) == [1]
    with pytest.raises(pa.ArrowInvalid, match="not found"):
        rows_at(place, 0)


def test_where_all_is_needed_nothing_is_committed(place: Location) -> None:
    three_overwrites(place)

    done = vacuum(place, retain_hours=0, replayable="keep", needed=needing(0, 1))

    assert (done.metrics["files_removable"], done.metrics["files_kept"]) == (0, 2)
    assert existing_table(place).version() == 2


def test_a_dry_run_says_what_is_needed_and_refuses_nothing(place: Location) -> None:
    three_overwrites(place)

    said = vacuum(place, retain_hours=0, needed=needing(0), dry_run=True)

    assert said.note == "kept for replay: version 0 (run 0)"
    assert (said.metrics["files_removable"], said.metrics["files_kept"]) == (1, 1)


def test_a_file_is_needed_in_every_version_that_it_is_in(place: Location) -> None:
    write(place, {"x": [0]})
    write(place, {"x": [1]}, mode="append")
    write(place, {"x": [2]}, mode="append")
    write(place, {"x": [3]})

    done = vacuum(place, retain_hours=0, replayable="keep", needed=needing(1))

    assert (done.metrics["files_removed"], done.metrics["files_kept"]) == (1, 2)
    assert rows_at(place, 1) == [0, 1]


def test_a_file_that_was_restored_is_needed_in_both_its_times(place: Location) -> None:
    three_overwrites(place)
    restore(place, 0)
    write(place, {"x": [4]})

    for version in 0, 3:
        done = vacuum(place, retain_hours=0, dry_run=True, needed=needing(version))
        assert done.metrics["files_kept"] == 1


def test_any_text_can_be_a_partition_of_a_needed_version(place: Location) -> None:
    for key in "a b", "100%", "a%20b", "ü":
        write(place, {"k": [key], "x": [1]}, **owning(key))
    version = existing_table(place).version()
    write(place, {"k": ["a b"], "x": [2]})

    needed = needing(version)
    kept = vacuum(place, retain_hours=0, replayable="keep", needed=needed)
    assert (kept.metrics["files_kept"], kept.metrics["files_removed"]) == (4, 0)
    assert rows_at(place, version) == [1] * 4
    assert vacuum(place, retain_hours=0).metrics["files_removed"] == 4


def test_what_lies_below_a_table_but_is_not_its_own_stays(place: Location) -> None:
    three_overwrites(place)
    below = Location(f"{place.uri}/below")
    write(below, {"y": [1]})
    other = Path(place.uri, "_change_data", "c.parquet")
    other.parent.mkdir()
    other.write_bytes(b"x")

    vacuum(place, retain_hours=0)

    assert rows_of(below) == [{"y": 1}]
    assert other.is_file()


def test_a_table_that_retains_files_longer_is_left_alone(place: Location) -> None:
    three_overwrites(place)
    existing_table(place).alter.set_table_properties(
        {"delta.deletedFileRetentionDuration": "interval 2 weeks"}
    )

    with pytest.raises(DeltaError, match="raise retain_hours, or lower the property"):
        vacuum(place, retain_hours=24)
