import datetime as dt
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.predicate import In, Range
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.delta.written import PartitionWritten, WriteResult
from dagster_dfsession.errors import (
    CommitError,
    DeltaError,
    PartitionError,
    SchemaMismatchError,
)
from dagster_dfsession.profile.delta import DeltaProfile


@pytest.fixture
def place(tmp_path: Path) -> Location:
    return Location(str(tmp_path / "t"))


def write(
    place: Location, data: dict[str, Any] | pa.Table, **options: Any
) -> WriteResult:
    rows = data if isinstance(data, pa.Table) else pa.table(data)
    return write_table(WriteRequest(location=place, **options), rows.to_reader())


def owning(*keys: str) -> dict[str, Any]:
    """The options of a partitioned write of these keys."""
    return {"partitioned": True, "predicate": In("k", keys), "partition_by": ("k",)}


def filtering(*keys: str) -> dict[str, Any]:
    """The same for a table of one column, whose files cannot be divided by it."""
    return {"partitioned": True, "predicate": In("k", keys)}


def failing(_: int) -> pa.RecordBatch:
    raise ZeroDivisionError


def rows_of(place: Location) -> list[dict[str, Any]]:
    table = open_table(place)
    assert table is not None
    found = pa.table(pa.RecordBatchReader.from_stream(table.scan()))
    return sorted(found.select(sorted(found.column_names)).to_pylist(), key=str)


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
    assert str(refused.value).count("stray") == 5


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


def test_columns_that_are_not_the_tables_are_listed(place: Location) -> None:
    write(place, {"a": [1], "b": ["x"], "c": [1.5]})
    with pytest.raises(SchemaMismatchError) as refused:
        write(place, {"b": [1], "c": [1.5], "d": [True]})
    message = str(refused.value)
    assert "missing: a (int64)" in message
    assert "not in the table: d (bool)" in message
    assert "of another type: b (int64, the table has string)" in message
    assert "c (" not in message


@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_no_value_is_cut_to_fit_the_table(place: Location, mode: Any) -> None:
    write(place, {"x": [1]})
    with pytest.raises(SchemaMismatchError, match="another type: x"):
        write(place, {"x": [1.7]}, mode=mode, schema_mode="merge")
    assert rows_of(place) == [{"x": 1}]


def test_columns_are_matched_by_name_in_any_order(place: Location) -> None:
    write(place, {"a": [1], "b": ["x"]})
    write(place, {"b": ["y"], "a": [2]}, mode="append")
    assert rows_of(place) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert DeltaTable(place.uri).schema().to_arrow().names == ["a", "b"]


def test_merge_adds_columns_and_leaves_missing_ones_null(place: Location) -> None:
    write(place, {"k": ["a", "b"], "x": [1, 2]}, **owning("a", "b"))
    write(place, {"k": ["b"], "y": ["new"]}, schema_mode="merge", **owning("b"))
    assert rows_of(place) == [
        {"k": "a", "x": 1, "y": None},
        {"k": "b", "x": None, "y": "new"},
    ]


def test_the_schema_is_overwritten_where_all_rows_are(place: Location) -> None:
    write(place, {"x": [1]})
    write(place, {"y": ["a"]}, schema_mode="overwrite", partition_by=("z",)[:0])
    assert rows_of(place) == [{"y": "a"}]


def test_the_schema_is_not_overwritten_under_other_partitions(place: Location) -> None:
    write(place, {"k": ["a"], "x": [1]}, schema_mode="overwrite", **owning("a"))
    with pytest.raises(SchemaMismatchError, match="the partitions that this run does"):
        write(place, {"k": ["a"], "y": [1]}, schema_mode="overwrite", **owning("a"))
    with pytest.raises(SchemaMismatchError, match="needs mode 'overwrite'"):
        write(place, {"x": [1]}, schema_mode="overwrite", mode="append")


def test_a_column_of_nulls_takes_the_tables_type(place: Location) -> None:
    write(place, {"x": [1], "s": ["a"]})
    write(place, {"x": [2], "s": [None]}, mode="append")
    assert rows_of(place) == [{"s": "a", "x": 1}, {"s": None, "x": 2}]


def test_a_not_null_column_takes_nullable_data_without_nulls(place: Location) -> None:
    strict = pa.schema([pa.field("x", pa.int64(), nullable=False)])
    DeltaTable.create(place.uri, strict)
    write(place, {"x": [1]}, mode="append")
    with pytest.raises(SchemaMismatchError, match="1 of 2 rows of a batch are NULL"):
        write(place, {"x": [2, None]}, mode="append")
    with pytest.raises(SchemaMismatchError, match=r"missing: x \(int64 NOT NULL\)"):
        write(place, {"y": [2]}, mode="append", schema_mode="merge")


def test_a_new_table_takes_nulls_whatever_the_first_plan_knew(place: Location) -> None:
    known = pa.schema([pa.field("x", pa.int64(), nullable=False)])
    write(place, pa.table({"x": [1]}, schema=known))
    assert write(place, {"x": [None, 2]}, mode="append").rows == 2


def test_partition_columns_must_be_the_tables(place: Location) -> None:
    write(place, {"k": ["a"], "x": [1]}, **owning("a"))
    other = {**owning("a"), "partition_by": ("x",)}
    with pytest.raises(PartitionError, match=r"partitioned by \['k'\], not by \['x'\]"):
        write(place, {"k": ["a"], "x": [1]}, **other)
    unasked = {**owning("a"), "partition_by": ()}
    assert write(place, {"k": ["a"], "x": [2]}, **unasked).table_rows == 1


def test_partition_columns_must_be_in_the_frame_and_leave_one(place: Location) -> None:
    with pytest.raises(PartitionError, match=r"\['k'\] are not in the frame; it has x"):
        write(place, {"x": [1]}, partition_by=("k",))
    with pytest.raises(PartitionError, match="leaves none for the files"):
        write(place, {"k": ["a"]}, partition_by=("k",))


def test_an_empty_key_is_refused_where_delta_would_store_null(place: Location) -> None:
    with pytest.raises(PartitionError, match="reads it back as NULL"):
        write(place, {"k": [""], "x": [1]}, **owning(""))
    inside = {**owning(""), "partition_by": ()}
    assert write(place, {"k": [""], "x": [1]}, **inside).rows == 1


def test_mode_error_refuses_where_there_are_rows(place: Location) -> None:
    assert write(place, {"x": [1]}, mode="error").rows == 1
    with pytest.raises(CommitError, match="the table has rows already"):
        write(place, {"x": [2]}, mode="error")
    assert rows_of(place) == [{"x": 1}]


def test_mode_error_looks_at_its_own_partitions_only(place: Location) -> None:
    write(place, {"k": ["a"], "x": [1]}, mode="error", **owning("a"))
    write(place, {"k": ["b"], "x": [2]}, mode="error", **owning("b"))
    with pytest.raises(CommitError, match="these partitions have rows already"):
        write(place, {"k": ["a"], "x": [3]}, mode="error", **owning("a"))
    assert [row["x"] for row in rows_of(place)] == [1, 2]


def test_a_repeated_write_of_one_idempotence_key_writes_once(place: Location) -> None:
    key = {"mode": "append", "app_id": "run1/step", "app_version": 3}
    first = write(place, {"x": [1, 2]}, **key)
    write(place, {"x": [9]}, mode="append")
    again = write(place, {"x": [1, 2]}, **key)
    assert again.already_committed
    assert (again.version, again.rows, again.bytes) == (1, 2, first.bytes)
    assert len(rows_of(place)) == 3
    later = write(place, {"x": [5]}, **{**key, "app_version": 4})
    assert not later.already_committed


def test_the_stream_of_a_repeated_write_is_not_read(place: Location) -> None:
    write(place, {"x": [1]}, app_id="a", app_version=1)

    batches = map(failing, [0])
    stream = pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), batches)
    request = WriteRequest(location=place, app_id="a", app_version=1)
    assert write_table(request, stream).already_committed


def test_an_attempt_overtaken_by_its_twin_takes_the_twins_result(
    place: Location,
) -> None:
    write(place, {"x": [1]})

    def batches() -> Iterator[pa.RecordBatch]:
        # The twin commits while this attempt streams.
        write_deltalake(
            place.uri,
            pa.table({"x": [2]}),
            mode="append",
            commit_properties=CommitProperties(app_transactions=[Transaction("a", 1)]),
        )
        yield pa.record_batch({"x": [2]})

    stream = pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), batches())
    request = WriteRequest(location=place, mode="append", app_id="a", app_version=1)
    assert write_table(request, stream).already_committed is True
    assert rows_of(place) == [{"x": 1}, {"x": 2}]


def at_once(count: int, work: Callable[[int], object]) -> list[BaseException]:
    barrier = threading.Barrier(count)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failures.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@pytest.mark.parametrize("attempt", range(3))
def test_eight_writers_create_one_partitioned_table(
    place: Location, attempt: int
) -> None:
    def one(number: int) -> WriteResult:
        key = f"k{number}"
        return write(place, {"k": [key], "x": [number + attempt]}, **owning(key))

    assert at_once(8, one) == []
    assert len(rows_of(place)) == 8
    created = [c for c in DeltaTable(place.uri).history() if "CREATE" in c["operation"]]
    assert len(created) == 1


def test_eight_writers_append_to_a_table_that_none_created(place: Location) -> None:
    assert at_once(8, lambda n: write(place, {"x": [n]}, mode="append")) == []
    assert len(rows_of(place)) == 8


def test_each_of_eight_writers_is_told_its_own_commit(place: Location) -> None:
    write(place, {"x": [0]})
    found: dict[int, WriteResult] = {}

    def one(number: int) -> None:
        rows = {"x": [number] * (number + 1)}
        found[number] = write(place, rows, mode="append")

    assert at_once(8, one) == []
    assert len({result.version for result in found.values()}) == 8
    for number, result in found.items():
        assert result.rows == number + 1
        assert result.partitions[0].rows == number + 1


def test_hours_written_at_once_do_not_conflict(place: Location) -> None:
    start = dt.datetime(2026, 3, 1)
    hours = [start + dt.timedelta(hours=n) for n in range(5)]

    def one(n: int) -> WriteResult:
        own = Range("t", hours[n], hours[n + 1])
        return write(place, {"t": [hours[n]]}, partitioned=True, predicate=own)

    assert at_once(4, one) == []
    assert [row["t"] for row in rows_of(place)] == hours[:4]


def test_two_overwrites_of_one_partition_leave_one_and_say_why(place: Location) -> None:
    write(place, {"k": ["a"], "x": [0]}, **owning("a"))

    def batches() -> Iterator[pa.RecordBatch]:
        write(place, {"k": ["a"], "x": [1]}, **owning("a"))
        yield pa.RecordBatch.from_pydict({"k": ["a"], "x": [2]})

    schema = pa.table({"k": [""], "x": [0]}).schema
    stream = pa.RecordBatchReader.from_batches(schema, batches())
    with pytest.raises(CommitError, match="Another run"):
        write_table(WriteRequest(location=place, **owning("a")), stream)
    assert rows_of(place) == [{"k": "a", "x": 1}]


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
