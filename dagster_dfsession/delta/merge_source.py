"""The rows of a frame on their way into a merge."""

import datetime as dt
from collections.abc import Iterator

import pyarrow as pa

from dagster_dfsession.delta.absent import ABSENT, with_absent
from dagster_dfsession.delta.arrow_types import delta_schema
from dagster_dfsession.delta.inspected import InspectedStream
from dagster_dfsession.delta.keys import Keys, check_key_columns
from dagster_dfsession.delta.merges import Custom, Merge, Scd2
from dagster_dfsession.delta.scd2 import (
    check_history,
    history_columns,
    staged,
    staged_schema,
)
from dagster_dfsession.errors import SchemaMismatchError, did_you_mean, listing


def stored_columns(merge: Merge | None, frame: pa.Schema) -> pa.Schema:
    """Return the columns that a table has of a frame.

    Raises:
        SchemaMismatchError: The merge names columns that the frame lacks, or that do
            not do for what it names them for.
    """
    if merge is None:
        return frame
    check_key_columns(merge.on, frame)
    if isinstance(merge, Scd2):
        check_history(merge, frame)
        return history_columns(merge, frame)
    if isinstance(merge, Custom):
        for name in merge.source_only:
            if name not in frame.names or name in merge.on:
                raise SchemaMismatchError(
                    f"source_only names {name!r}, which is a key or no column of the "
                    f"frame; it has {listing(frame.names)}."
                    f"{did_you_mean(name, frame.names)}"
                )
        return pa.schema([f for f in frame if f.name not in merge.source_only])
    return frame


def frame_columns(
    merge: Merge | None, stored: pa.Schema, frame: pa.Schema
) -> pa.Schema:
    """Return the frame's columns, those that are stored as the table holds them."""
    if merge is None:
        return stored
    kept = [field for field in stored if field.name in frame.names]
    other = [field for field in frame if field.name not in stored.names]
    return pa.schema([*kept, *delta_schema(pa.schema(other))])


class MergeSource:
    """The inspected rows of a frame as the merge takes them.

    Args:
        merge: What they are for.
        inspected: Read once.
        start: When the run started.
        standing: The keys of the table of which those that the frame lacks are added
            to it. None: the engine finds them itself, or they do not matter.

    Attributes:
        frame: The columns of the frame, typed as the table holds them.
        failure: What the frame or a check raised, if anything.
    """

    def __init__(
        self,
        merge: Merge,
        inspected: InspectedStream,
        start: dt.datetime,
        standing: pa.Table | None = None,
    ) -> None:
        self.frame = inspected.target
        self.failure: BaseException | None = None
        self._merge = merge
        self._start = start
        self._standing = standing
        self._schema = self.frame
        self._batches = self._recorded(self._staged(inspected))

    def reader(self) -> pa.RecordBatchReader:
        """Return the checked rows; they can be read once."""
        return pa.RecordBatchReader.from_batches(self._schema, self._batches)

    def exhaust(self) -> None:
        """Read what is left: the last check comes after the last row.

        Raises:
            CommitError: A key is NULL or comes twice.
            SchemaMismatchError: A value does not fit its column.
            PartitionError: A row lies outside the predicate.
        """
        for _ in self._batches:
            pass

    def _staged(self, inspected: InspectedStream) -> Iterator[pa.RecordBatch]:
        keys = Keys(self._merge.on)
        rows = keys.passing(inspected.batches())
        if isinstance(self._merge, Scd2):
            self._schema = staged_schema(self._merge, self.frame)
            rows = staged(self._merge, rows, self._schema, self._start)
        if self._standing is not None:
            self._schema = self._schema.append(pa.field(ABSENT, pa.bool_()))
            rows = with_absent(rows, self._schema, keys, self._standing)
        return rows

    def _recorded(self, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            yield from rows
        except BaseException as error:
            self.failure = error
            raise
