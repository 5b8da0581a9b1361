import datetime as dt
import threading
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.predicate import Range
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.delta.written import WriteResult
from dagster_dfsession.errors import (
    CommitError,
)
from tests.delta.writing import failing, owning, rows_of, write


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
