"""Maintenance beside writes that are running."""

import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from dagster_dfsession.delta.doubled import undo_doubled
from dagster_dfsession.delta.history import data_version
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.log import DATA_VERSION
from dagster_dfsession.delta.maintain import checkpoint
from dagster_dfsession.delta.maintained import existing_table
from dagster_dfsession.delta.optimize import optimize
from dagster_dfsession.delta.orphans import remove_orphans
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.vacuum import vacuum
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.errors import CommitError, DeltaError
from tests.delta.writing import owning, rows_of, write


def some_files(place: Location) -> None:
    for x in range(3):
        write(
            place,
            {"k": ["a"], "x": [x]},
            mode="append" if x else "overwrite",
            partition_by=("k",),
            commit_metadata={DATA_VERSION: f"v{x}"},
        )


def written_meanwhile(place: Location, meanwhile: Any, **options: Any) -> None:
    """Write one row, and call `meanwhile` while the write is running."""

    def batches() -> Iterator[pa.RecordBatch]:
        meanwhile(place)
        yield row

    row = pa.RecordBatch.from_pylist([{"k": "a", "x": 9}])
    stream = pa.RecordBatchReader.from_batches(row.schema, batches())
    write_table(WriteRequest(location=place, **options), stream)


def clustered(place: Location) -> None:
    assert optimize(place, z_order_by=["x"]).metrics["files_written"] == 1


def compacted(place: Location) -> None:
    assert optimize(place).metrics["files_written"] == 1


@pytest.mark.parametrize("options", [{}, owning("a")], ids=["all", "partition"])
@pytest.mark.parametrize("meanwhile", [compacted, clustered])
def test_an_overwrite_of_compacted_rows_is_refused(
    place: Location, meanwhile: Any, options: dict[str, Any]
) -> None:
    some_files(place)

    with pytest.raises(CommitError, match=r"nothing of this run was committed\. Run"):
        written_meanwhile(place, meanwhile, **options)

    assert [row["x"] for row in rows_of(place)] == [0, 1, 2]


@pytest.mark.parametrize("meanwhile", [compacted, clustered])
def test_an_append_and_a_compaction_do_not_disturb_each_other(
    place: Location, meanwhile: Any
) -> None:
    some_files(place)

    written_meanwhile(place, meanwhile, mode="append")

    assert [row["x"] for row in rows_of(place)] == [0, 1, 2, 9]


def vacuumed(place: Location) -> None:
    assert vacuum(place, retain_hours=0).metrics["files_removed"] == 3
    remove_orphans(place)
    checkpoint(place)


@pytest.mark.parametrize("options", [{"mode": "append"}, owning("a")])
def test_a_vacuum_disturbs_no_write_but_that_of_all_rows(
    place: Location, options: dict[str, Any]
) -> None:
    some_files(place)
    write(place, {"k": ["a"], "x": [5]}, partition_by=("k",))

    written_meanwhile(place, vacuumed, **options)

    assert rows_of(place)[-1] == {"k": "a", "x": 9}


def test_a_checkpoint_disturbs_no_write(place: Location) -> None:
    some_files(place)

    written_meanwhile(place, checkpoint)

    assert rows_of(place) == [{"k": "a", "x": 9}]


def test_a_compaction_that_was_overtaken_begins_again(
    place: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_files(place)
    stale = [existing_table(place)]
    write(place, {"k": ["a"], "x": [7]}, partition_by=("k",))
    write(place, {"k": ["a"], "x": [8]}, mode="append")

    def opened(location: Location) -> DeltaTable:
        return stale.pop() if stale else existing_table(location)

    monkeypatch.setattr("dagster_dfsession.delta.optimize.existing_table", opened)
    done = optimize(place)

    assert not stale
    assert done.metrics["files_compacted"] == 2
    assert [row["x"] for row in rows_of(place)] == [7, 8]


@pytest.mark.parametrize("second", [compacted, clustered])
def test_a_compaction_that_came_second_is_undone(
    place: Location, second: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_files(place)
    before = data_version(existing_table(place), place)
    stale = [existing_table(place)]
    optimize(place)

    def opened(location: Location) -> DeltaTable:
        return stale.pop() if stale else existing_table(location)

    monkeypatch.setattr("dagster_dfsession.delta.optimize.existing_table", opened)
    optimize(place, z_order_by=["x"] if second is clustered else (), min_files=1)

    assert [row["x"] for row in rows_of(place)] == [0, 1, 2]
    assert data_version(existing_table(place), place) == before


def test_rows_changed_above_a_second_compaction_are_not_undone(
    place: Location,
) -> None:
    some_files(place)
    stale = existing_table(place)
    optimize(place)
    stale.optimize.compact()
    write(place, {"k": ["a"], "x": [7]}, mode="append")

    with pytest.raises(DeltaError, match="Restore version 3 and repeat"):
        undo_doubled(place, 2)


def test_two_compactions_at_once_keep_every_row(place: Location) -> None:
    some_files(place)
    failures: list[BaseException] = []

    def compact() -> None:
        try:
            optimize(place)
        except CommitError as error:
            failures.append(error)

    threads = [threading.Thread(target=compact) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [row["x"] for row in rows_of(place)] == [0, 1, 2]
    assert len(failures) < 4
