"""How many rows, and bytes, a write leaves of each partition key."""

from collections.abc import Sequence

import msgspec
import pyarrow as pa
from deltalake import DeltaTable

from dagster_dfsession.delta.arrow_types import table_schema
from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.location import open_table
from dagster_dfsession.delta.partitions import (
    PartitionRequest,
    partition_columns,
    partition_predicate,
)
from dagster_dfsession.delta.predicate import to_sql
from dagster_dfsession.delta.written import WriteResult
from dagster_dfsession.errors import DeltaError, PartitionError
from dagster_dfsession.materialization.row_counter import RowCounter
from dagster_dfsession.materialization.target import Target


class PartitionRows(msgspec.Struct, frozen=True):
    """What a table has of one partition key.

    Attributes:
        rows: None: nobody has counted.
        bytes: On disk; None: its files hold rows of other keys too.
    """

    rows: int | None
    bytes: int | None


class PartitionTally:
    """What a write leaves in the table of each of its partition keys."""

    def __init__(
        self, target: Target, schema: pa.Schema, partition_by: Sequence[str]
    ) -> None:
        """Prepare for one write.

        Args:
            target: Whose keys; an asset without partitions has nothing to tally.
            schema: The columns that will be written.
            partition_by: Columns that divide the files of the table.
        """
        self._target = target
        self._keys = target.partition_keys
        request = target.partitions
        columns = () if request is None else partition_columns(request)
        self._adds = target.mode in ("append", "merge")
        self._divided = set(columns) <= set(partition_by)
        self._counter = (
            None if request is None else _counter(request, self._keys, schema)
        )
        self._counts = len(self._keys) > 1 and not self._divided and not self._adds

    def counted(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """Return the reader, counted if no file says it afterwards."""
        if self._counter is None or not self._counts:
            return reader
        return self._counter.counted(reader)

    def by_key(self, written: WriteResult) -> dict[str, PartitionRows]:
        """Return what the table has of each key after the write."""
        request = self._target.partitions
        if self._counter is None or request is None:
            return {}
        if not written.wrote and not self._adds:
            return self._there(request, self._counter, written)
        if self._divided and (self._adds or len(self._keys) > 1):
            return self._live(self._counter, written)
        if self._adds:
            return {}  # what was there before would have to be read
        if self._counts:
            rows = self._counter.rows()
            return {key: PartitionRows(count, None) for key, count in rows.items()}
        files = [part.rows for part in written.partitions]
        # A file that was rewritten holds rows of the neighbours too.
        alone = None not in files and sum(filter(None, files)) == written.rows
        size = written.bytes if alone else None
        return {self._keys[0]: PartitionRows(written.rows, size)}

    def _there(
        self, request: PartitionRequest, counter: RowCounter, written: WriteResult
    ) -> dict[str, PartitionRows]:
        """Read what was there and was left alone."""
        table, location = self._table(written), self._target.location
        schema = table_schema(table)
        own = to_sql(partition_predicate(request, schema), schema)
        with delta_errors(location.uri, location.secrets):
            rows = table.scan(columns=list(partition_columns(request)), predicate=own)
            for _ in counter.counted(pa.RecordBatchReader.from_stream(rows)):
                pass
        found = counter.rows()
        return {key: PartitionRows(count, None) for key, count in found.items()}

    def _table(self, written: WriteResult) -> DeltaTable:
        table = open_table(self._target.location, written.version)
        if table is None:
            raise DeltaError(
                f"{self._target.location}: the table is gone right after the write"
            )
        return table

    def _live(
        self, counter: RowCounter, written: WriteResult
    ) -> dict[str, PartitionRows]:
        table = self._table(written)
        files = pa.table(table.get_add_actions(flatten=True))
        own = [name for name in files.column_names if name.startswith("partition.")]
        values = files.select(own).rename_columns(
            [name.removeprefix("partition.") for name in own]
        )
        found = dict.fromkeys(self._keys, PartitionRows(0, 0))
        for key, rows, size in zip(
            counter.key_of(values),
            files.column("num_records").to_pylist(),
            files.column("size_bytes").to_pylist(),
            strict=True,
        ):
            if key is not None:
                found[key] = _more(found[key], rows, size)
        return found


def _counter(
    request: PartitionRequest, keys: Sequence[str], schema: pa.Schema
) -> RowCounter | None:
    """Return a counter; None where single windows cannot be told apart.

    On a clock without time zone an hour may show twice; a write of both of its
    windows is fine, but nobody can say which row belongs to which.
    """
    try:
        return RowCounter(request, keys, schema)
    except PartitionError:
        return None


def _more(found: PartitionRows, rows: int | None, size: int | None) -> PartitionRows:
    known = found.rows is not None and rows is not None
    total = (found.rows or 0) + (rows or 0)
    return PartitionRows(total if known else None, (found.bytes or 0) + (size or 0))
