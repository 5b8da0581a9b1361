"""Columns of another engine as the session has them."""

from collections.abc import Iterator

import msgspec
import pyarrow as pa

from dagster_dfsession.errors import QueryError


class Columns(msgspec.Struct, frozen=True):
    """What the session says of the columns, and whose columns are held to it.

    Examples:
        >>> Columns(pa.schema({"n": pa.int64()}), "sail 0.7.2").check(
        ...     pa.schema({"n": pa.int32()})
        ... )
        Traceback (most recent call last):
            ...
        dagster_dfsession.errors.QueryError: sail 0.7.2 ... 'n' int32 where ... int64...
    """

    schema: pa.Schema
    engine: str

    def check(self, found: pa.Schema) -> None:
        """Refuse columns of other types; a text is a text, however it is held.

        What an engine calls a column that has no name is its own affair.

        Raises:
            QueryError: It names each column, and both types.
        """
        others = [*self._others(found)]
        if len(found) != len(self.schema):
            others = [f"{len(found)} columns where this session has {len(self.schema)}"]
        if others:
            raise QueryError(
                f"{self.engine} returned {'; '.join(others)}. CAST the column in the "
                "query, so that both engines have one type"
            )

    def of(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch with these names and types."""
        columns = [
            column.cast(field.type)
            for column, field in zip(batch.columns, self.schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _others(self, found: pa.Schema) -> Iterator[str]:
        for here, there in zip(self.schema, found, strict=False):
            if _plain(here.type) != _plain(there.type):
                yield (f"{here.name!r} {there.type} where this session has {here.type}")


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind) or pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_binary_view(kind) or pa.types.is_large_binary(kind):
        return pa.binary()
    return kind
