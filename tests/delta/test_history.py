import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Field, write_deltalake
from deltalake.schema import PrimitiveType
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_dfsession.delta import history
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.history import data_version
from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.log import (
    DATA_VERSION,
    PARTITIONS,
    commits_backwards,
    read_commit,
)
from dagster_dfsession.delta.predicate import In
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table


@pytest.fixture
def place(tmp_path: Path) -> Location:
    return Location(str(tmp_path / "t"))


def put(place: Location, stated: str, rows: dict[str, Any], **options: Any) -> None:
    """Write rows to an unpartitioned asset."""
    metadata = {DATA_VERSION: stated}
    request = WriteRequest(location=place, commit_metadata=metadata, **options)
    write_table(request, pa.table(rows).to_reader())


def put_keys(
    place: Location, stated: str, *keys: str, divided: bool = True, **options: Any
) -> None:
    """Write to each key one row, which the stated data version determines."""
    request = WriteRequest(
        location=place,
        partitioned=True,
        predicate=In("k", keys),
        partition_by=("k",) if divided else (),
        commit_metadata={DATA_VERSION: stated, PARTITIONS: json.dumps(sorted(keys))},
        **options,
    )
    rows = pa.table({"k": list(keys), "x": [f"{stated}{key}" for key in keys]})
    write_table(request, rows.to_reader())


def seen(place: Location, *keys: str, version: int | None = None) -> str:
    table = open_table(place, version)
    assert table is not None
    return data_version(table, place, frozenset(keys) if keys else None)


def rows_of(table: DeltaTable, keys: frozenset[str] | None = None) -> tuple[str, ...]:
    found = pa.table(pa.RecordBatchReader.from_stream(table.scan())).to_pylist()
    return tuple(sorted(str(r["x"]) for r in found if keys is None or r["k"] in keys))


def test_an_overwritten_table_has_the_data_version_of_its_commit(
    place: Location,
) -> None:
    put(place, "v1", {"x": [1]})
    assert seen(place) == "v1"
    put(place, "v2", {"x": [2]})
    assert seen(place) == "v2"
    assert seen(place, version=0) == "v1"


def test_an_old_version_is_read_at_that_version(place: Location) -> None:
    for number in range(5):
        put(place, f"v{number}", {"x": [number]})
    assert [seen(place, version=n) for n in range(5)] == [f"v{n}" for n in range(5)]


def test_the_same_append_twice_is_other_data(place: Location) -> None:
    put(place, "v1", {"x": [1]})
    versions = {seen(place)}
    for _ in range(3):
        put(place, "v2", {"x": [2]}, mode="append")
        versions.add(seen(place))
    assert len(versions) == 4


def test_maintenance_changes_no_data_version(place: Location) -> None:
    put(place, "v1", {"x": [1]})
    put(place, "v2", {"x": [2]}, mode="append")
    before = seen(place)
    table = DeltaTable(place.uri)
    table.optimize.compact()
    table.alter.set_table_properties({"delta.checkpointInterval": "5"})
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert DeltaTable(place.uri).version() > 2
    assert seen(place) == before


def test_another_writers_rows_end_what_is_known(place: Location) -> None:
    put(place, "v1", {"x": [1]})
    write_deltalake(place.uri, pa.table({"x": [9]}), mode="append")
    identity = str(DeltaTable(place.uri).metadata().id)[:8]
    assert seen(place) == f"delta:{identity}:1"
    DeltaTable(place.uri).optimize.compact()
    assert seen(place) == f"delta:{identity}:1"
    put(place, "v2", {"x": [1]})
    assert seen(place) == "v2"


def test_a_commit_that_says_nothing_of_itself_is_not_overlooked(
    place: Location,
) -> None:
    put(place, "v1", {"x": [1]})
    write_deltalake(place.uri, pa.table({"x": [9]}), mode="append")
    log = Path(place.uri) / "_delta_log" / f"{1:020}.json"
    kept = [line for line in log.read_text().splitlines() if "commitInfo" not in line]
    log.write_text("\n".join(kept))
    assert seen(place).startswith("delta:")


@pytest.mark.parametrize("change", ["delete", "update", "restore", "add_columns"])
def test_every_change_behind_our_back_is_noticed(place: Location, change: str) -> None:
    put(place, "v1", {"x": [1, 2]})
    put(place, "v2", {"x": [1, 3]})
    table = DeltaTable(place.uri)
    if change == "delete":
        table.delete("x = 1")
    elif change == "update":
        table.update({"x": "5"}, predicate="x = 1")
    elif change == "restore":
        table.restore(0)
    else:
        table.alter.add_columns([Field("y", PrimitiveType("string"))])
    assert seen(place).startswith("delta:")


def test_a_log_that_was_cleaned_up_ends_what_is_known(place: Location) -> None:
    put(place, "v1", {"x": [1]})
    put(place, "v2", {"x": [2]}, mode="append")
    DeltaTable(place.uri).create_checkpoint()
    (Path(place.uri) / "_delta_log" / f"{0:020}.json").unlink()
    assert seen(place).startswith("delta:")


def test_a_walk_is_bounded(place: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    put(place, "v1", {"x": [1]})
    put(place, "v2", {"x": [2]}, mode="append")
    put(place, "v3", {"x": [2]}, mode="append")
    assert not seen(place).startswith("delta:")
    monkeypatch.setattr(history, "LONGEST_WALK", 2)
    assert seen(place).startswith("delta:")


def test_the_order_in_which_partitions_were_written_does_not_count(
    tmp_path: Path,
) -> None:
    found = set()
    for order in ("ab", "ba"):
        place = Location(str(tmp_path / order))
        for key in order:
            put_keys(place, f"v{key}", key)
        found.add(seen(place))
    assert len(found) == 1


def test_one_partition_is_known_by_its_own_commits(place: Location) -> None:
    put_keys(place, "v1", "a", "b")
    first = seen(place, "a")
    put_keys(place, "v2", "b")
    assert seen(place, "a") == first
    assert seen(place, "b") != first
    put_keys(place, "v3", "a", mode="append")
    assert seen(place, "a") != first


def test_once_all_files_are_accounted_for_no_more_commits_are_read(
    place: Location,
) -> None:
    put_keys(place, "v1", "a")
    for number in range(4):
        put_keys(place, f"w{number}", "a", "b")
    before = seen(place)
    DeltaTable(place.uri).create_checkpoint()
    (Path(place.uri) / "_delta_log" / f"{2:020}.json").unlink()
    assert seen(place) == before
    DeltaTable(place.uri).optimize.compact()
    assert seen(place) == before


def test_files_that_hold_rows_of_other_keys_account_for_nothing(
    place: Location,
) -> None:
    put_keys(place, "v1", "a", "b", divided=False)
    put_keys(place, "v2", "b", divided=False)  # rewrites the rows of a, too
    one = seen(place)
    place_two = Location(place.uri + "2")
    put_keys(place_two, "other", "a", "b", divided=False)
    put_keys(place_two, "v2", "b", divided=False)
    assert seen(place_two) != one


ALL = {"k": ["a", "b"], "x": ["v1a", "v1b"]}


def test_above_rows_of_all_keys_adding_and_replacing_differ(tmp_path: Path) -> None:
    found = set()
    for mode in ("overwrite", "append"):
        place = Location(str(tmp_path / mode))
        put(place, "v1", ALL)
        put_keys(place, "v2", "a", divided=False, mode=mode)
        found.add(seen(place))
    assert len(found) == 2
    assert not any(version.startswith("delta:") for version in found)


def test_rows_of_all_keys_above_those_of_one_are_not_mistaken_for_rows_below(
    tmp_path: Path,
) -> None:
    below, above = Location(str(tmp_path / "below")), Location(str(tmp_path / "above"))
    put(below, "v1", ALL)
    put_keys(below, "v2", "a", divided=False)
    put_keys(above, "v2", "a", divided=False)
    put(above, "v1", ALL, mode="append")
    assert seen(below) != seen(above)


def test_rows_of_a_partitioned_write_that_were_not_checked_are_not_trusted(
    place: Location,
) -> None:
    metadata = {DATA_VERSION: "v1", PARTITIONS: '["a"]'}
    write_deltalake(
        place.uri,
        pa.table({"k": ["b"], "x": ["1"]}),
        commit_properties=CommitProperties(custom_metadata=metadata),
    )
    assert seen(place, "a").startswith("delta:")


operations = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["overwrite", "append"]),
            st.sampled_from(["v1", "v2"]),
            st.sampled_from(["a", "b", "ab"]),
        ),
        st.tuples(
            st.sampled_from(["all", "all append"]),
            st.sampled_from(["v1", "v2"]),
            st.just(""),
        ),
        st.tuples(st.just("compact"), st.just(""), st.just("")),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=25, deadline=None)
@given(st.lists(operations, min_size=2, max_size=3), st.booleans())
def test_equal_data_versions_mean_equal_rows(
    tmp_path_factory: pytest.TempPathFactory,
    histories: list[list[tuple[str, str, str]]],
    divided: bool,  # noqa: FBT001 - hypothesis fills it
) -> None:
    meaning: dict[tuple[frozenset[str] | None, str], tuple[str, ...]] = {}
    for steps in histories:
        place = Location(str(tmp_path_factory.mktemp("h") / "t"))
        for operation, stated, keys in steps:
            table = open_table(place)
            if operation in ("overwrite", "append"):
                put_keys(place, stated, *keys, divided=divided, mode=operation)
            elif operation == "compact":
                if table is not None:
                    table.optimize.compact()
            elif table is not None:  # the keyed writes decide how the table is divided
                mode = "append" if "append" in operation else "overwrite"
                rows = {"k": ["a", "b"], "x": [f"{stated}a", f"{stated}b"]}
                put(place, stated, rows, mode=mode)
        newest = open_table(place)
        for version in range(newest.version() + 1 if newest else 0):
            table = open_table(place, version)
            assert table is not None
            for wanted in (None, frozenset("a"), frozenset("ab")):
                found = data_version(table, place, wanted)
                rows_now = rows_of(table, wanted)
                assert meaning.setdefault((wanted, found), rows_now) == rows_now


def test_commits_are_read_newest_first_down_to_the_creation(place: Location) -> None:
    for number in range(40):
        put(place, "v", {"x": [number]}, mode="append")
    files = LakeFiles(place)
    newest = DeltaTable(place.uri).version()
    found = [commit.version for commit in commits_backwards(files, newest)]
    assert found == list(range(newest, -1, -1))
    assert read_commit(files, newest + 1) is None
