import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.predicate import Range
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.delta.written import PartitionWritten
from dagster_dfsession.errors import (
    DeltaError,
    PartitionError,
    SchemaMismatchError,
)
from dagster_dfsession.profile.delta import DeltaProfile
from tests.delta.writing import failing, filtering, owning, rows_of, write


def test_the_first_write_creates_the_table_in_one_version(place: Location) -> None:
    result = write(place, {"x": [1, 2]}, commit_metadata={"dfsession.run": "r1"})
    assert (result.version, result.rows, result.files) == (0, 2, 1)
    assert (result.table_rows, result.table_bytes) == (2, result.bytes)
    assert result.partitions == (PartitionWritten((), 2, result.bytes),)
    assert DeltaTable(place.uri).history()[0]["dfsession.run"] == "r1"


def test_overwrite_replaces_and_append_adds(place: Location) -> None:
    write(place, {"x": [1]})
    write(place, {"x": [2]})
    result = write(place, {"x": [3]}, mode="append")
    assert rows_of(place) == [{"x": 2}, {"x": 3}]
    assert (result.version, result.rows, result.table_rows) == (2, 1, 2)


def test_a_partition_is_replaced_and_its_neighbours_are_not(place: Location) -> None:
    write(place, {"k": ["a", "b"], "x": [1, 2]}, **owning("a", "b"))
    result = write(place, {"k": ["a", "a"], "x": [3, 4]}, **owning("a"))
    assert rows_of(place) == [
        {"k": "a", "x": 3},
        {"k": "a", "x": 4},
        {"k": "b", "x": 2},
    ]
    assert result.rows == 2
    assert result.table_rows == 3
    assert [(p.values, p.rows) for p in result.partitions] == [((("k", "a"),), 2)]
    assert DeltaTable(place.uri).metadata().partition_columns == ["k"]


@pytest.mark.parametrize("mode", ["overwrite", "error"])
@pytest.mark.parametrize("exists", [True, False])
def test_no_partitioned_asset_is_overwritten_without_a_predicate(
    place: Location, mode: Any, *, exists: bool
) -> None:
    if exists:
        write(place, {"k": ["a"]})
    with pytest.raises(PartitionError, match="without a predicate"):
        write(place, {"k": ["b"]}, mode=mode, partitioned=True)
    assert (open_table(place) is not None) is exists


def test_rows_of_other_partitions_are_counted_and_nothing_is_written(
    place: Location,
) -> None:
    write(place, {"k": ["a"], "x": [1]}, **owning("a"))
    strays = {"k": ["a", "c", None, "c"], "x": [1, 2, 3, 4]}
    with pytest.raises(PartitionError, match="3 of 4 rows") as refused:
        write(place, strays, **owning("a"))
    assert "{'k': 'c'}" in str(refused.value)
    assert "{'k': None}" in str(refused.value)
    assert DeltaTable(place.uri).version() == 1


def test_stray_rows_of_a_later_batch_commit_nothing(place: Location) -> None:
    write(place, {"k": ["a"]}, **filtering("a"))

    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"k": ["a"] * 10})
        yield pa.record_batch({"k": ["a", "z"]})

    stream = pa.RecordBatchReader.from_batches(pa.schema({"k": pa.string()}), batches())
    with pytest.raises(PartitionError, match="1 of 12 rows"):
        write_table(WriteRequest(location=place, **filtering("a")), stream)
    assert DeltaTable(place.uri).version() == 1


def test_a_first_write_with_stray_rows_creates_no_table(place: Location) -> None:
    with pytest.raises(PartitionError):
        write(place, {"k": ["z"]}, **filtering("a"))
    assert open_table(place) is None


def test_five_examples_of_stray_rows_are_enough(place: Location) -> None:
    strays = {"k": [f"stray{i}" for i in range(50)]}
    with pytest.raises(PartitionError, match="50 of 50") as refused:
        write(place, strays, **filtering("a"))
    assert str(refused.value).count("'stray") == 5


def test_an_append_to_a_partition_is_checked_too(place: Location) -> None:
    write(place, {"k": ["a"]}, mode="append", **filtering("a"))
    with pytest.raises(PartitionError, match="1 of 1"):
        write(place, {"k": ["b"]}, mode="append", **filtering("a"))
    assert write(place, {"k": ["a"]}, mode="append", **filtering("a")).table_rows == 2


@pytest.mark.parametrize("batches", [0, 1])
def test_an_empty_stream_empties_its_partition_with_a_commit(
    place: Location, batches: int
) -> None:
    write(place, {"k": ["a", "b"], "x": [1, 2]}, **owning("a", "b"))
    empty = pa.table({"k": ["a"], "x": [1]}).slice(0, 0)
    nothing = [pa.RecordBatch.from_pylist([], schema=empty.schema)] * batches
    stream = pa.RecordBatchReader.from_batches(empty.schema, nothing)
    result = write_table(WriteRequest(location=place, **owning("a")), stream)
    assert (result.version, result.rows, result.files) == (2, 0, 0)
    assert rows_of(place) == [{"k": "b", "x": 2}]


@pytest.mark.parametrize("options", [{}, owning("a"), {"mode": "append"}])
def test_an_empty_stream_creates_an_empty_table(
    place: Location, options: dict[str, Any]
) -> None:
    result = write(
        place,
        pa.table({"k": pa.array([], pa.string()), "x": pa.array([], pa.int64())}),
        **options,
    )
    assert (result.rows, result.table_rows) == (0, 0)
    assert rows_of(place) == []


def test_hours_of_a_timestamp_column_keep_apart(place: Location) -> None:
    start = dt.datetime(2026, 3, 1, tzinfo=dt.timezone.utc)
    hours = [start + dt.timedelta(hours=n) for n in range(4)]

    def hour(n: int) -> dict[str, Any]:
        return {"partitioned": True, "predicate": Range("t", hours[n], hours[n + 1])}

    both = {"partitioned": True, "predicate": Range("t", hours[0], hours[3])}
    write(place, {"t": hours[:3], "x": [0, 1, 2]}, **both)
    result = write(place, {"t": [hours[1]], "x": [9]}, **hour(1))
    assert [row["x"] for row in rows_of(place)] == [0, 9, 2]
    assert result.rows == 1
    history = DeltaTable(place.uri).history()
    assert [commit.get("dfsession.scope") for commit in history] == [
        "rows",
        "rows",
        None,
    ]


def test_what_the_stream_raises_comes_through_as_it_is(place: Location) -> None:
    class Interrupted(BaseException):
        pass

    for raised in (ZeroDivisionError("mine"), Interrupted("mine")):

        def batches(error: BaseException = raised) -> Iterator[pa.RecordBatch]:
            yield pa.record_batch({"x": [1]})
            raise error

        schema = pa.schema({"x": pa.int64()})
        stream = pa.RecordBatchReader.from_batches(schema, batches())
        with pytest.raises(type(raised)) as failed:
            write_table(WriteRequest(location=place), stream)
        assert failed.value is raised
    assert open_table(place) is None


def test_a_stream_that_fails_at_once_creates_no_table(place: Location) -> None:
    batches = map(failing, [0])
    stream = pa.RecordBatchReader.from_batches(pa.schema({"k": pa.string()}), batches)
    with pytest.raises(ZeroDivisionError):
        write_table(WriteRequest(location=place, **filtering("a")), stream)
    assert open_table(place) is None


def test_data_that_delta_changes_in_passing_is_converted_or_refused(
    place: Location,
) -> None:
    exact = pa.table({"t": pa.array([1_000], pa.timestamp("ns"))})
    write(place, exact)
    assert rows_of(place) == [{"t": dt.datetime(1970, 1, 1, microsecond=1)}]
    with pytest.raises(SchemaMismatchError, match="'t' of type timestamp") as refused:
        write(place, pa.table({"t": pa.array([1_001], pa.timestamp("ns"))}))
    assert "would lose data" in str(refused.value)


@pytest.mark.parametrize("codec", ["snappy", "zstd(9)", "gzip(1)", "uncompressed"])
def test_every_codec_writes(place: Location, codec: str) -> None:
    options = DeltaProfile(compression=codec, target_file_size=1_000_000)
    assert write(place, {"x": [1]}, options=options).rows == 1


def test_a_location_that_is_no_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DeltaError, match="file"):
        write(Location(str(tmp_path / "file")), {"x": [1]})
