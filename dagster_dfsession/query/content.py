"""Rows in memory, identified by what they are."""

import hashlib
import io
from typing import Any

import pyarrow as pa
from typing_extensions import Buffer

WINDOW = 1 << 16
"""Rows copied at a time."""


def content_digest(rows: pa.Table) -> str:
    """Return 64 hex digits for the schema and the rows, in order.

    Equal digests mean equal rows. What a library notes beside the schema, how the
    rows are cut into chunks, and what lies beneath NULLs do not count; but for columns
    of views inside other types, which Arrow cannot copy.

    Examples:
        >>> one, two = pa.table({"a": [1]}), pa.table({"a": [2]})
        >>> content_digest(one) == content_digest(two)
        False
        >>> both = pa.concat_tables([one, two])
        >>> content_digest(both) == content_digest(pa.table({"a": [1, 2]}))
        True
    """
    sink = _Digest(rows.schema.remove_metadata().serialize())
    every = pa.array(range(min(WINDOW, rows.num_rows)), pa.int64())
    for start in range(0, rows.num_rows, WINDOW):
        window = rows.slice(start, WINDOW)
        order = every.slice(0, window.num_rows)
        columns = [_copied(column, order) for column in window.columns]
        table = pa.table(columns, names=rows.column_names)
        # A batch by itself would be without the words of its dictionaries.
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
    return sink.digest.hexdigest()


class _Digest(io.RawIOBase):
    """A file that keeps of its bytes only what they hash to."""

    def __init__(self, start: Buffer) -> None:
        self.digest = hashlib.sha256(start)

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        self.digest.update(data)
        return memoryview(data).nbytes


def _copied(
    column: "pa.ChunkedArray[Any]", order: "pa.Array[Any]"
) -> "pa.ChunkedArray[Any]":
    """Return the column in one chunk that begins at its own first value."""
    held: Any = _held(column.type)
    # Arrow decodes no dictionary of views: their words are cast first.
    plain: list[pa.Array[Any]] = [
        pa.DictionaryArray.from_arrays(each.indices, each.dictionary.cast(held))
        if isinstance(each, pa.DictionaryArray)
        else each
        for each in column.chunks
    ]
    values: Any = [each.cast(held) for each in plain]
    column = pa.chunked_array(values, held)
    try:
        taken = column.take(order)
    except pa.ArrowNotImplementedError:
        taken = column
    return pa.chunked_array([taken.combine_chunks()], type=taken.type)


def _held(found: pa.DataType) -> pa.DataType:
    """Return the type of the values themselves: of words, and not of views."""
    if isinstance(found, pa.DictionaryType):
        found = found.value_type
    if pa.types.is_string_view(found):
        return pa.string()
    return pa.binary() if pa.types.is_binary_view(found) else found
