"""Short forms for tests of writes."""

from typing import Any

import pyarrow as pa

from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.predicate import In
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.delta.written import WriteResult


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


def rows_of(place: Location, version: int | None = None) -> list[dict[str, Any]]:
    table = open_table(place, version)
    assert table is not None
    found = pa.table(pa.RecordBatchReader.from_stream(table.scan()))
    return sorted(found.select(sorted(found.column_names)).to_pylist(), key=str)
