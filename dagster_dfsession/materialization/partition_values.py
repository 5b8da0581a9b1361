"""A partition column that the rows lack: the one key of the run says its value."""

import difflib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from dagster_dfsession.delta.arrow_types import table_schema
from dagster_dfsession.delta.literals import exact_scalar
from dagster_dfsession.delta.location import open_table
from dagster_dfsession.delta.partitions import (
    Dimension,
    MultiKeys,
    partition_columns,
    partition_predicate,
)
from dagster_dfsession.delta.predicate import In, Predicate, Range
from dagster_dfsession.delta.windows import TimeWindows
from dagster_dfsession.errors import PartitionError, listing
from dagster_dfsession.materialization.target import Target

_CLOSE = 0.8
_WITHIN_A_DAY = ("%H", "%I", "%M", "%S", "%X", "%c")


def with_partition_columns(
    reader: pa.RecordBatchReader, target: Target
) -> pa.RecordBatchReader:
    """Return the rows with the partition columns that they lack.

    A column that is added has the type that it has in the table; in a new table it is
    a date or, for windows of less than a day, a timestamp in UTC, and for other keys a
    string. Its value is the key, or the beginning of its window.

    Args:
        reader: The rows that the asset returned.
        target: The partition key, and the columns that it speaks of.

    Raises:
        PartitionError: The run has several keys, or a column is probably misspelt.
    """
    request, names = target.partitions, reader.schema.names
    if request is None:
        return reader
    lacking = [name for name in partition_columns(request) if name not in names]
    if not lacking:
        return reader
    _check_meant(target, lacking, names)
    fields = _fields(target, lacking)
    wide = pa.schema([*reader.schema, *fields])
    values = _values(partition_predicate(request, wide))
    scalars: list[Any] = [exact_scalar(values[f.name], f.name, f.type) for f in fields]

    def widened() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            added = [pa.repeat(scalar, batch.num_rows) for scalar in scalars]
            yield pa.RecordBatch.from_arrays([*batch.columns, *added], schema=wide)

    return pa.RecordBatchReader.from_batches(wide, widened())


def _check_meant(target: Target, lacking: list[str], names: list[str]) -> None:
    for name in lacking:
        lower = {each.lower(): each for each in names}
        close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=_CLOSE)
        if close:
            raise PartitionError(
                f"{target.name}: there is no partition column {name!r}; is it "
                f"{lower[close[0]]!r}? The columns are {listing(names)}. Name the "
                "column in the partition_expr metadata, or add it in the query."
            )
    if len(target.partition_keys) > 1:
        raise PartitionError(
            f"{target.name}: there is no partition column {lacking[0]!r}, and a run "
            f"over {len(target.partition_keys)} keys cannot add it: nothing says which "
            f"row belongs to which key. The columns are {listing(names)}. Add the "
            "column in the query, or launch one key a run."
        )


def _fields(target: Target, lacking: list[str]) -> list["pa.Field[Any]"]:
    table = open_table(target.location)
    held = pa.schema([]) if table is None else table_schema(table)
    request = target.partitions
    parts = request.keys[0] if isinstance(request, MultiKeys) else (request,)
    return [
        pa.field(
            part.column,
            held.field(part.column).type
            if part.column in held.names
            else _new_type(part),
        )
        for part in parts
        if part is not None and part.column in lacking
    ]


def _new_type(part: Dimension) -> pa.DataType:
    if not isinstance(part, TimeWindows):
        return pa.string()
    finer = any(code in part.key_format for code in _WITHIN_A_DAY)
    return pa.timestamp("us", tz="UTC") if finer else pa.date32()


def _values(predicate: Predicate) -> dict[str, Any]:
    """Return the value that each column has in the first row of a single key."""
    if isinstance(predicate, In):
        return {predicate.column: predicate.values[0]}
    if isinstance(predicate, Range):
        return {predicate.column: predicate.lower_inclusive}
    found: dict[str, Any] = {}
    for part in predicate.parts:
        found |= _values(part)
    return found
