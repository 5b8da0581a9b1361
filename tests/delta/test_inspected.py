import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from dagster_dfsession.delta.inspected import InspectedStream
from dagster_dfsession.delta.predicate import And, In, Range
from dagster_dfsession.errors import PartitionError, SchemaMismatchError


def test_batches_are_cast_selected_ordered_and_counted() -> None:
    source = pa.RecordBatch.from_pydict(
        {"b": pa.array(["x"], pa.string_view()), "a": pa.array([1])}
    )
    target = pa.table({"a": [0], "b": [""]}).schema
    stream = InspectedStream([source, source], target)
    found = stream.reader().read_all()
    assert found.schema == target
    assert found.to_pydict() == {"a": [1, 1], "b": ["x", "x"]}
    assert (stream.rows, stream.failure) == (2, None)


def test_a_value_that_would_be_cut_is_refused() -> None:
    source = pa.record_batch({"t": pa.array([1_001], pa.timestamp("ns"))})
    stream = InspectedStream([source], pa.schema([pa.field("t", pa.timestamp("us"))]))
    with pytest.raises(SchemaMismatchError, match="'t' of type timestamp") as refused:
        stream.check()
    assert stream.failure is refused.value


def test_a_null_where_none_may_be_is_refused() -> None:
    source = pa.record_batch({"x": [1, None]})
    stream = InspectedStream([source], source.schema, required=["x", "absent"])
    with pytest.raises(SchemaMismatchError, match="1 of 2 rows of a batch are NULL"):
        stream.check()


def test_rows_outside_any_part_of_a_predicate_are_counted_with_nulls() -> None:
    day = dt.date(2026, 3, 1)
    rows: dict[str, Any] = {"k": ["a", "b", "a", None], "d": [day, day, None, day]}
    source = pa.RecordBatch.from_pydict(rows)
    own = And((In("k", ("a",)), Range("d", day, day + dt.timedelta(days=1))))
    stream = InspectedStream([source], source.schema, predicate=own)
    with pytest.raises(PartitionError, match="3 of 4 rows") as refused:
        stream.check()
    assert "{'d': None, 'k': 'a'}" in str(refused.value)
