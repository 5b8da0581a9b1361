from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from dagster_dfsession.delta.location import Location
from dagster_dfsession.errors import (
    CommitError,
    PartitionError,
    SchemaMismatchError,
)
from tests.delta.writing import owning, rows_of, write


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
