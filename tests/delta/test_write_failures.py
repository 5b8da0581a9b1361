"""What is left of a write that failed, and of two that met."""

import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.merges import Upsert
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.errors import CommitError
from tests.delta.writing import owning, rows_of, write

SCHEMA = pa.table({"k": [""], "x": [0]}).schema
ROW = pa.RecordBatch.from_pylist([{"k": "a", "x": 1}], SCHEMA)

MAKES_IT_FIRST: dict[str, dict[str, Any]] = {
    "append": {"mode": "append"},
    "merge": {"mode": "merge", "merge": Upsert(on=("k",))},
    "partition": owning("a"),
    "partition, error": {"mode": "error", **owning("a")},
    "partition, ignore": {"mode": "ignore", **owning("a")},
}


def breaking() -> Iterator[pa.RecordBatch]:
    yield ROW
    raise ZeroDivisionError


@pytest.mark.parametrize("options", MAKES_IT_FIRST.values(), ids=MAKES_IT_FIRST)
def test_a_first_write_that_breaks_off_can_be_repeated(
    place: Location, options: dict[str, Any]
) -> None:
    stream = pa.RecordBatchReader.from_batches(SCHEMA, breaking())
    with pytest.raises(ZeroDivisionError):
        write_table(WriteRequest(location=place, **options), stream)
    assert open_table(place) is None or rows_of(place) == []
    result = write(place, pa.Table.from_batches([ROW]), **options)

    assert result.wrote
    assert rows_of(place) == [{"k": "a", "x": 1}]


@pytest.mark.parametrize("mode", ["error", "ignore"])
def test_a_table_without_rows_is_none_to_these_modes(
    place: Location, mode: Any
) -> None:
    write(place, pa.table({"x": pa.array([], pa.int64())}))
    assert write(place, {"x": [1]}, mode=mode).wrote
    assert rows_of(place) == [{"x": 1}]


@pytest.mark.parametrize("table", ["new", "old"])
def test_an_overwrite_that_another_write_comes_before_is_refused_as_a_whole(
    place: Location, table: str
) -> None:
    if table == "old":
        write(place, {"x": [0]})

    def batches() -> Iterator[pa.RecordBatch]:
        write(place, {"x": [7]}, mode="append")
        yield pa.record_batch({"x": [8]})

    schema = pa.schema({"x": pa.int64()})
    stream = pa.RecordBatchReader.from_batches(schema, batches())
    with pytest.raises(CommitError) as refused:
        write_table(WriteRequest(location=place), stream)

    assert "Another run" in str(refused.value)
    assert "nothing of this run was committed. Run again." in str(refused.value)
    kept = [{"x": 7}] if table == "new" else [{"x": 0}, {"x": 7}]
    assert rows_of(place) == kept


@pytest.mark.parametrize("attempt", range(4))
def test_an_append_that_meets_an_overwrite_is_kept_whole_or_not_at_all(
    place: Location, attempt: int
) -> None:
    """Whichever is first: rows of both only where the append came second."""
    write(place, {"x": [0]})
    together = threading.Barrier(2)
    refused: list[str] = []

    def one(mode: Any, *values: int) -> None:
        def batches() -> Iterator[pa.RecordBatch]:
            together.wait(30)
            for value in values:
                yield pa.record_batch({"x": [value]})

        schema = pa.schema({"x": pa.int64()})
        stream = pa.RecordBatchReader.from_batches(schema, batches())
        try:
            write_table(WriteRequest(location=place, mode=mode), stream)
        except CommitError:
            refused.append(mode)

    many = range(10, 10 + 30 * (attempt % 2 + 1))
    jobs = [("append", 1, 2), ("overwrite", *many)]
    threads = [threading.Thread(target=one, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = sorted(row["x"] for row in rows_of(place))
    expected = {
        (): [[*many], [1, 2, *many]],
        ("append",): [[*many]],
        ("overwrite",): [[0, 1, 2]],
    }
    assert found in expected[tuple(refused)]
