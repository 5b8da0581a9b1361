"""A merge of some partitions: nothing outside is read, matched, changed or waited for."""

import datetime as dt
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.merges import Clause, Custom, FullSync, Scd2, Upsert
from dagster_dfsession.delta.predicate import Range
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.errors import CommitError, PartitionError
from tests.delta.writing import filtering, owning, rows_of, write

ON = ("id",)
DAY = dt.datetime(2026, 3, 1, tzinfo=dt.timezone.utc)


def batch(columns: dict[str, Any]) -> pa.RecordBatch:
    return pa.record_batch(columns)


def merge(place: Location, merge: Any, data: Any, *keys: str, **options: Any) -> Any:
    return write(place, data, mode="merge", merge=merge, **owning(*keys), **options)


def test_a_row_outside_the_partition_is_an_error_with_an_example(
    place: Location,
) -> None:
    write(place, {"k": ["a"], "id": [1]}, **owning("a"))
    with pytest.raises(PartitionError, match=r"example \[\{'k': 'b'\}\]"):
        merge(place, Upsert(on=ON), {"k": ["a", "b"], "id": [2, 3]}, "a")
    assert rows_of(place) == [{"id": 1, "k": "a"}]


def test_a_full_sync_of_a_partition_reads_and_rewrites_its_files_alone(
    place: Location,
) -> None:
    for key in "abc":
        write(place, {"k": [key, key], "id": [1, 2]}, **owning(key))
    others = {p for p in DeltaTable(place.uri).file_uris() if "k=a" not in p}

    merge(place, FullSync(on=ON), {"k": ["a"], "id": [1]}, "a")

    assert others < set(DeltaTable(place.uri).file_uris())
    [commit] = DeltaTable(place.uri).history(1)
    counts = commit["operationMetrics"]
    assert counts["num_target_files_scanned"] == 1
    assert counts["num_target_files_skipped_during_scan"] == 2
    assert len(rows_of(place)) == 5


def test_a_full_sync_of_hours_deletes_within_them(place: Location) -> None:
    hours = [dt.datetime(2026, 3, 1, hour) for hour in range(4)]
    write(place, {"t": hours, "id": [1, 2, 3, 4]})
    own = Range("t", hours[1], hours[3])
    frame = {"t": [hours[2]], "id": [3]}

    sync = {"mode": "merge", "merge": FullSync(on=ON)}
    result = write(place, frame, **sync, partitioned=True, predicate=own)

    assert result.merged is not None
    assert result.merged.deleted == 1
    assert [row["id"] for row in rows_of(place)] == [1, 3, 4]


def test_rows_of_the_table_without_a_key_stop_a_full_sync(place: Location) -> None:
    write(place, {"k": ["a", "b"], "id": [None, 1]}, **owning("a", "b"))
    with pytest.raises(CommitError, match="1 rows of the table are NULL in 'id'"):
        merge(place, FullSync(on=ON), {"k": ["a"], "id": [1]}, "a")
    merge(place, FullSync(on=ON), {"k": ["b"], "id": [2]}, "b")
    assert [row["id"] for row in rows_of(place)] == [2, None]


def test_a_history_of_a_partition_ends_what_that_partition_lacks(
    place: Location,
) -> None:
    ends = Scd2(on=ON, close_missing=True)
    for key, ids, x in (("a", [1, 2], ["p", "q"]), ("b", [1], ["r"])):
        frame = {"k": [key] * len(ids), "id": ids, "x": x}
        merge(place, ends, frame, key, run_start=DAY)
    later = DAY + dt.timedelta(days=1)

    merge(place, ends, {"k": ["a"], "id": [1], "x": ["P"]}, "a", run_start=later)

    found = {(r["k"], r["x"]): r["valid_to"] for r in rows_of(place)}
    assert found == {
        ("a", "p"): later,
        ("a", "P"): None,
        ("a", "q"): later,
        ("b", "r"): None,
    }


def custom(*clauses: dict[str, Any]) -> Custom:
    return Custom(on=ON, clauses=tuple(_clause(each) for each in clauses))


def _clause(fields: dict[str, Any]) -> Clause:
    return Clause(**{"condition" if k == "if" else k: v for k, v in fields.items()})


def test_custom_clauses_reach_rows_of_the_partition_alone(place: Location) -> None:
    write(place, {"k": ["a", "a", "b"], "id": [1, 2, 2], "x": [1, 2, 2]})
    mark = custom(
        {"when": "matched", "do": "update", "set": {"x": "source.x + target.x"}},
        {
            "when": "not_matched_by_source",
            "do": "update",
            "if": "target.x > 1",
            "set": {"x": "-target.x"},
        },
    )
    frame = {"k": ["a"], "id": [1], "x": [10]}
    write(place, frame, mode="merge", merge=mark, **filtering("a"))
    assert [(r["k"], r["x"]) for r in rows_of(place)] == [
        ("a", 11),
        ("a", -2),
        ("b", 2),
    ]


@pytest.mark.parametrize("when", ["matched", "not_matched"])
def test_no_clause_moves_a_row_to_another_partition(place: Location, when: Any) -> None:
    write(place, {"k": ["a", "b"], "id": [1, 2]}, **owning("a", "b"))
    do = "update" if when == "matched" else "insert"
    moving = custom({"when": when, "do": do, "set": {"k": "'b'", "id": "source.id"}})
    with pytest.raises(PartitionError, match="a clause sets 'k' to \"'b'\""):
        merge(place, moving, {"k": ["a"], "id": [1]}, "a")


def test_an_insert_that_names_its_columns_keeps_the_partition(place: Location) -> None:
    write(place, {"k": ["a"], "id": [1], "x": [1]}, **owning("a"))
    named = custom({"when": "not_matched", "do": "insert", "set": {"id": "source.id"}})
    merge(place, named, {"k": ["a"], "id": [7], "x": [5]}, "a")
    assert {"k": "a", "id": 7, "x": None} in rows_of(place)


def meeting(
    place: Location, merge: Any, frames: list[pa.RecordBatch], keys: str
) -> list[CommitError]:
    """Two merges at once, each of which has read the table before the other commits."""
    barrier = threading.Barrier(2)

    def one(number: int) -> CommitError | None:
        def batches() -> Iterator[pa.RecordBatch]:
            yield frames[number]
            barrier.wait(timeout=30)

        schema = frames[number].schema
        stream = pa.RecordBatchReader.from_batches(schema, batches())
        own = owning(keys[number])
        request = WriteRequest(location=place, mode="merge", merge=merge, **own)
        try:
            write_table(request, stream)
        except CommitError as error:
            return error
        return None

    with ThreadPoolExecutor(2) as threads:
        return [found for found in threads.map(one, range(2)) if found is not None]


@pytest.mark.parametrize(
    "merge",
    [Upsert(on=ON), FullSync(on=ON), Scd2(on=ON, close_missing=True)],
    ids=lambda merge: type(merge).__name__,
)
def test_merges_of_two_partitions_at_once_both_commit(
    place: Location, merge: Any
) -> None:
    frames = [batch({"k": [k], "id": [1], "x": [1]}) for k in "ab"]
    for frame, key in zip(frames, "ab", strict=True):
        write(
            place,
            pa.Table.from_batches([frame]),
            mode="merge",
            merge=merge,
            run_start=DAY,
            **owning(key),
        )
    new = [batch({"k": [k, k], "id": [1, 2], "x": [2, 2]}) for k in "ab"]

    assert meeting(place, merge, new, "ab") == []

    current = [row for row in rows_of(place) if row.get("is_current") is not False]
    assert [(row["k"], row["x"]) for row in current].count(("a", 2)) == 2
    assert [(row["k"], row["x"]) for row in current].count(("b", 2)) == 2


@pytest.mark.parametrize("ids", [(1, 1), (8, 8), (8, 9)], ids=str)
def test_of_two_merges_of_one_partition_at_once_one_is_refused_and_says_why(
    place: Location, ids: tuple[int, int]
) -> None:
    """Also where both insert: each would have matched the other's rows."""
    write(place, {"k": ["a"], "id": [1], "x": [0]}, **owning("a"))
    frames = [batch({"k": ["a"], "id": [n], "x": [5]}) for n in ids]

    [refused] = meeting(place, Upsert(on=ON), frames, "aa")

    assert "Another run" in str(refused)
    assert len([row for row in rows_of(place) if row["x"] == 5]) == 1
