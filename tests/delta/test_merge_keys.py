"""What a merge asks of its keys, names and values."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.merges import DeleteMatched, FullSync, InsertOnly, Upsert
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.errors import CommitError, DeltaError, SchemaMismatchError
from tests.delta.writing import owning, rows_of, write

BY_ID = Upsert(on=("id",))
KINDS = [Upsert, InsertOnly, DeleteMatched, FullSync]


def merge(place: Location, data: Any, **options: Any) -> Any:
    return write(place, data, **{"mode": "merge", "merge": BY_ID, **options})


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_comes_twice_is_refused_with_examples_and_counts(
    place: Location, kind: Any
) -> None:
    write(place, {"id": [1], "x": ["a"]})
    twice = pa.table({"id": [1, 2, 2, 2, 3, 3], "x": list("bcdefg")})
    batches = twice.to_batches(max_chunksize=1)
    with pytest.raises(CommitError) as refused:
        merge(place, pa.Table.from_batches(batches), merge=kind(on=("id",)))
    assert str(refused.value) == (
        "2 keys of the merge on id are in several rows of the frame, and nothing was "
        "written; for example {'id': 2} 3 times, {'id': 3} 2 times. Which row is "
        "meant, only the query can say: make it return one row a key."
    )
    assert rows_of(place) == [{"id": 1, "x": "a"}]
    assert DeltaTable(place.uri).version() == 0


def test_a_first_merge_with_a_key_twice_creates_no_table(place: Location) -> None:
    with pytest.raises(CommitError, match="1 key of the merge"):
        merge(place, {"id": [1, 1], "x": ["a", "b"]})
    assert not DeltaTable.is_deltatable(place.uri)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_is_null_is_refused_with_examples(
    place: Location, kind: Any
) -> None:
    write(place, {"id": [1], "x": ["a"]})
    with pytest.raises(CommitError, match=r"1 of 2 rows of a batch are NULL in 'id'"):
        merge(place, {"id": [1, None], "x": ["b", "c"]}, merge=kind(on=("id",)))
    assert rows_of(place) == [{"id": 1, "x": "a"}]


def test_a_key_that_is_no_column_is_refused_with_the_one_that_was_meant(
    place: Location,
) -> None:
    with pytest.raises(SchemaMismatchError, match=r"on 'Order'.*you mean 'order'\?"):
        merge(place, {"order": [1]}, merge=Upsert(on=("Order",)))


def test_a_key_that_cannot_be_compared_exactly_is_refused(place: Location) -> None:
    with pytest.raises(SchemaMismatchError, match="on 'id' of type double"):
        merge(place, {"id": [1.5]})
    with pytest.raises(SchemaMismatchError, match="on 'id' of type list"):
        merge(place, {"id": [[1]]})


KEYS = [
    ["it's", 'quo"te', "back\\slash", "", "NULL", "source.id"],
    [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)],
    [dt.datetime(2026, 3, 29, 1, 30, tzinfo=dt.timezone.utc)],
    [dt.date(1, 1, 1), dt.date(9999, 12, 31)],
    [Decimal("0.10"), Decimal("-99999999.99")],
    [b"\x00\xff", b""],
    [True, False],
    [-(2**63), 2**63 - 1],
]


@pytest.mark.parametrize("keys", KEYS, ids=lambda keys: repr(keys[0]))
def test_keys_of_every_exact_type_are_matched(place: Location, keys: Any) -> None:
    old = pa.table({"id": keys, "x": ["old"] * len(keys)})
    merge(place, old)
    new = pa.table([old.column("id").slice(0, 1), pa.array(["new"])], names=["id", "x"])
    result = merge(place, new)
    assert (result.merged.updated, result.merged.inserted) == (1, 0)
    found = {row["id"]: row["x"] for row in rows_of(place)}
    assert found == dict(zip(keys, ["new"] + ["old"] * (len(keys) - 1), strict=True))


@pytest.mark.parametrize(
    "name", ["Id", "two words", "a.b", "it's", 'quo"te', "back`tick", "select", "Größe"]
)
def test_columns_may_have_any_name(place: Location, name: str) -> None:
    other = f"{name} 2"
    on = Upsert(on=(name,))
    merge(place, {name: [1, 2], other: [1, 2]}, merge=on)
    result = merge(place, {name: [2, 3], other: [5, 3]}, merge=on)
    assert (result.merged.updated, result.merged.inserted) == (1, 1)
    assert [row[other] for row in rows_of(place)] == [1, 5, 3]


def test_nested_values_are_compared_and_kept(place: Location) -> None:
    kinds = pa.struct([("a", pa.list_(pa.int64())), ("b", pa.string())])
    counts = pa.map_(pa.string(), pa.int64())
    fields = [("id", pa.int64()), ("s", kinds), ("m", counts)]
    schema = pa.schema([pa.field(name, kind) for name, kind in fields])

    def row(key: int, value: int | None) -> dict[str, Any]:
        return {"id": key, "s": {"a": [value], "b": None}, "m": [("k", value)]}

    def table(*rows: dict[str, Any]) -> pa.Table:
        return pa.Table.from_pylist(list(rows), schema=schema)

    merge(place, table(row(1, 1), row(2, None)))
    assert not merge(place, table(row(1, 1), row(2, None))).wrote
    result = merge(place, table(row(1, 1), row(2, 2)))
    assert result.merged.updated == 1
    assert [found["m"] for found in rows_of(place)] == [[("k", 1)], [("k", 2)]]


def test_what_sql_takes_for_equal_is_no_change(place: Location) -> None:
    merge(place, {"id": [1, 2, 3], "x": [float("nan"), 0.0, None]})
    assert not merge(place, {"id": [1, 2, 3], "x": [float("nan"), -0.0, None]}).wrote


def test_a_value_that_would_lose_a_part_is_refused(place: Location) -> None:
    write(place, {"id": [1], "x": [1]})
    with pytest.raises(SchemaMismatchError, match="x \\(double, the table has int64"):
        merge(place, {"id": [1], "x": [1.5]})
    wide = pa.table({"id": [1], "x": pa.array([2**40], pa.int64())})
    small = Location(f"{place.uri}2")
    write(small, {"id": [1], "x": pa.array([1], pa.int32())})
    with pytest.raises(SchemaMismatchError, match="x \\(int64, the table has int32"):
        merge(small, wide)


def test_schema_mode_merge_adds_columns_and_leaves_missing_ones_as_they_are(
    place: Location,
) -> None:
    write(place, {"id": [1, 2], "x": ["a", "b"]})
    result = merge(place, {"id": [2, 3], "y": [20, 30]}, schema_mode="merge")
    assert (result.merged.updated, result.merged.inserted, result.rows) == (1, 1, 2)
    assert rows_of(place) == [
        {"id": 1, "x": "a", "y": None},
        {"id": 2, "x": "b", "y": 20},
        {"id": 3, "x": None, "y": 30},
    ]
    assert result.table_schema.names == ["id", "x", "y"]
    assert not merge(place, {"id": [2], "y": [20]}, schema_mode="merge").wrote


def test_in_strict_mode_other_columns_are_refused(place: Location) -> None:
    write(place, {"id": [1], "x": ["a"]})
    with pytest.raises(SchemaMismatchError, match=r"missing: x .*not in the table: y"):
        merge(place, {"id": [1], "y": ["a"]})
    with pytest.raises(SchemaMismatchError, match="needs mode 'overwrite'"):
        merge(place, {"id": [1], "y": ["a"]}, schema_mode="overwrite")


def test_a_column_of_keys_alone_is_enough(place: Location) -> None:
    assert merge(place, {"id": [1, 2]}).merged.inserted == 2
    assert merge(place, {"id": [2, 3]}).merged.inserted == 1
    write(place, {"id": [1, 2, 3], "x": ["a", "b", "c"]}, schema_mode="overwrite")
    merge(place, {"id": [1, 9]}, merge=DeleteMatched(on=("id",)))
    assert [row["id"] for row in rows_of(place)] == [2, 3]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("partitioned", [True, False])
def test_an_empty_frame_changes_nothing_but_what_a_full_sync_deletes(
    place: Location, kind: Any, *, partitioned: bool
) -> None:
    own = owning("a") if partitioned else {}
    nothing = pa.table({"k": ["a"], "id": [1]}).slice(0, 0)
    created = merge(place, nothing, **own)
    assert (created.version, created.wrote, rows_of(place)) == (0, False, [])

    write(place, {"k": ["a", "b"], "id": [1, 2]}, mode="append")
    merge(place, nothing, merge=kind(on=("id",)), **own)
    left = {(Upsert, True): 2, (FullSync, True): 1, (FullSync, False): 0}
    assert len(rows_of(place)) == left.get((kind, partitioned), 2)


def test_what_the_frame_raises_comes_through_and_commits_nothing(
    place: Location,
) -> None:
    write(place, {"id": [1]})

    def batches() -> Any:
        yield pa.record_batch({"id": [2]})
        raise ZeroDivisionError

    schema = pa.schema({"id": pa.int64()})
    stream = pa.RecordBatchReader.from_batches(schema, batches())
    request = WriteRequest(location=place, mode="merge", merge=BY_ID)
    with pytest.raises(ZeroDivisionError):
        write_table(request, stream)
    assert rows_of(place) == [{"id": 1}]


def test_deleting_from_a_table_that_is_not_there_is_refused(place: Location) -> None:
    with pytest.raises(DeltaError, match="there is no table, so a merge of the kind"):
        merge(place, {"id": [1]}, merge=DeleteMatched(on=("id",)))
    assert not DeltaTable.is_deltatable(place.uri)


def test_a_mode_and_its_merge_belong_together(place: Location) -> None:
    with pytest.raises(DeltaError, match="mode 'merge' was given with merge = None"):
        write(place, {"id": [1]}, mode="merge")
    with pytest.raises(DeltaError, match="mode 'append' was given with merge = Ups"):
        write(place, {"id": [1]}, mode="append", merge=BY_ID)
