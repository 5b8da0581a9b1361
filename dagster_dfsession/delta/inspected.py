"""A stream on its way to a table: cast, checked and counted, batch by batch."""

import time
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import pyarrow as pa

from dagster_dfsession.delta.predicate import Predicate, columns, to_expression
from dagster_dfsession.errors import PartitionError, SchemaMismatchError

_EXAMPLES = 5


class InspectedStream:
    """The batches of a reader as the table wants them.

    deltalake turns what a stream raises into a text of its own: after a failed
    write, look at `failure` for the error itself.

    Args:
        source: Read once, batch by batch.
        target: Columns and types of the table, in its order.
        table: Its address, for messages.
        required: Columns of the table that take no NULL.
        predicate: What every row must satisfy; None asks nothing.

    Attributes:
        target: As given.
        rows: How many rows have passed.
        failure: What the source or a check raised, if anything.
        ended_ns: When the last batch was asked for, in nanoseconds since 1970; None:
            not yet.
    """

    def __init__(
        self,
        source: Iterable[pa.RecordBatch],
        target: pa.Schema,
        *,
        table: str = "the table",
        required: Collection[str] = (),
        predicate: Predicate | None = None,
    ) -> None:
        self.rows = 0
        self.failure: BaseException | None = None
        self.ended_ns: int | None = None
        self.target = target
        self._table = table
        self._required = required
        self._predicate = predicate
        self._owned = None if predicate is None else to_expression(predicate, target)
        self._source = source

    def reader(self) -> pa.RecordBatchReader:
        """Return the checked batches; they can be read once."""
        return pa.RecordBatchReader.from_batches(self.target, self.batches())

    def check(self) -> None:
        """Read everything and write nothing.

        Raises:
            PartitionError: A row lies outside the predicate.
            SchemaMismatchError: A value does not fit its column.
        """
        for _ in self.batches():
            pass

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the checked batches.

        Raises:
            PartitionError: A row lies outside the predicate.
            SchemaMismatchError: A value does not fit its column.
        """
        try:
            for raw in self._source:
                batch = self._cast(raw)
                self._check_nulls(batch)
                self._check_rows(batch)
                self.rows += batch.num_rows
                yield batch
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self.ended_ns = time.time_ns()

    def _cast(self, raw: pa.RecordBatch) -> pa.RecordBatch:
        arrays = [self._cast_column(raw.column(f.name), f) for f in self.target]
        return pa.RecordBatch.from_arrays(arrays, schema=self.target)

    def _cast_column(
        self, values: "pa.Array[Any]", field: "pa.Field[Any]"
    ) -> "pa.Array[Any]":
        if values.type == field.type:
            return values
        try:
            return _plain(values, field.type).cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise SchemaMismatchError(
                f"{self._table}: the column {field.name!r} of type {values.type} "
                f"cannot be written as {field.type} without loss: {error}. Cast or "
                "round it in the query."
            ) from error

    def _check_nulls(self, batch: pa.RecordBatch) -> None:
        for name in self._required:
            if name in batch.schema.names and (count := batch.column(name).null_count):
                raise SchemaMismatchError(
                    f"{self._table}: {count} of {batch.num_rows} rows of a batch are "
                    f"NULL in {name!r}, which is NOT NULL in the table. Filter them, "
                    "or drop the constraint with table.alter.drop_not_null."
                )

    def _check_rows(self, batch: pa.RecordBatch) -> None:
        if self._predicate is None or self._owned is None:
            return
        rows = pa.Table.from_batches([batch])
        if rows.filter(self._owned).num_rows == rows.num_rows:
            return
        deciding = sorted(columns(self._predicate))
        outside = rows.filter(~self._owned | self._owned.is_null()).select(deciding)
        examples = outside.group_by(deciding).aggregate([]).slice(0, _EXAMPLES)
        raise PartitionError(
            f"{self._table}: {outside.num_rows} of {self.rows + rows.num_rows} rows "
            "read so far lie outside the partition keys of this run, and nothing was "
            f"written; for example {examples.to_pylist()}. Filter the asset to its "
            "keys, or correct its partition_expr."
        )


def _plain(values: "pa.Array[Any]", held: pa.DataType) -> "pa.Array[Any]":
    """Return a dictionary over the type it is held as: Arrow decodes none of views."""
    if not isinstance(values, pa.DictionaryArray):
        return values
    return pa.DictionaryArray.from_arrays(values.indices, values.dictionary.cast(held))
