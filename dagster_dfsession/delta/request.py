"""What a write is asked to do, and what of it is refused before anything is read."""

import datetime as dt
from collections.abc import Iterator, Mapping

import msgspec
import pyarrow as pa
from deltalake import DeltaTable

from dagster_dfsession.delta.arrow_types import (
    column_differences,
    delta_schema,
    table_order,
    table_schema,
)
from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.merges import DeleteMatched, Merge
from dagster_dfsession.delta.modes import SchemaMode, WriteMode
from dagster_dfsession.delta.predicate import In, Predicate, Range, to_sql
from dagster_dfsession.delta.properties import Declared, check_declared
from dagster_dfsession.errors import (
    CommitError,
    DeltaError,
    PartitionError,
    SchemaMismatchError,
    listing,
)
from dagster_dfsession.profile.delta import DeltaProfile


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


class WriteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One write of one stream.

    Attributes:
        location: The table; created if it is not there.
        mode: `overwrite` replaces the rows of the predicate (without one: all),
            `append` adds, `merge` does what `merge` says; where there are rows,
            `error` refuses and `ignore` writes nothing.
        schema_mode: `strict` takes the table's columns and no others; `merge` adds
            new ones and leaves missing ones NULL; `overwrite` replaces them all.
        merge: What to do in mode `merge`, and only there.
        run_start: When the run started, which a history goes by; left out, now.
        partitioned: Whether the asset has partitions. Then a predicate is demanded:
            no write of such an asset may replace a whole table.
        predicate: The rows that the write owns. Every row is checked against it.
        partition_by: Columns that a new table's files are divided by. Where the
            table exists they must be its own; none: whatever it has.
        options: Codec, bytes of a file, tries after a conflict.
        declared: Properties and constraints of a new table.
        commit_metadata: For the table's history; no secrets.
        app_id: Names what must not be written twice; None: writes every time.
        app_version: Grows with every write of `app_id`. A write at or below the
            table's is not repeated.
        turns: Of the changes that the rows were made of: how often each turn was taken
            when they were read. A write whose turn is over is refused.
    """

    location: Location
    mode: WriteMode = "overwrite"
    schema_mode: SchemaMode = "strict"
    merge: Merge | None = None
    run_start: dt.datetime = msgspec.field(default_factory=_now)
    partitioned: bool = False
    predicate: Predicate | None = None
    partition_by: tuple[str, ...] = ()
    options: DeltaProfile = DeltaProfile()
    declared: Declared = Declared()
    commit_metadata: Mapping[str, str] = {}
    app_id: str | None = None
    app_version: int = 0
    turns: Mapping[str, int] = {}


def check_request(request: WriteRequest) -> None:
    """Refuse what contradicts itself.

    Raises:
        PartitionError: A partitioned overwrite has no predicate, or a key that Delta
            Lake would store as NULL.
        SchemaMismatchError: The schema mode needs another write mode.
        DeltaError: The mode is `merge` without one, or another with one.
    """
    if (request.mode == "merge") != (request.merge is not None):
        raise DeltaError(
            f"{request.location}: mode {request.mode!r} was given with merge = "
            f"{request.merge!r}; mode 'merge' needs one, and no other takes one"
        )
    if request.partitioned and request.mode != "append" and request.predicate is None:
        raise PartitionError(
            f"{request.location}: a partitioned asset in mode {request.mode!r} was to "
            "be written without a predicate, which would replace other partitions. "
            "Name the partition column in the partition_expr metadata."
        )
    if request.schema_mode == "overwrite" and request.mode in ("append", "merge"):
        raise SchemaMismatchError(
            f"{request.location}: schema mode 'overwrite' replaces the columns of all "
            "rows, so it needs mode 'overwrite'; to add columns, use 'merge'"
        )
    check_declared(request.declared, request.location.uri)
    for leaf in _leaves(request.predicate):
        if (
            isinstance(leaf, In)
            and "" in leaf.values
            and leaf.column in request.partition_by
        ):
            raise PartitionError(
                f"{request.location}: the partition key '' cannot be stored in the "
                f"partition column {leaf.column!r}: Delta Lake reads it back as NULL. "
                "Give the key a name."
            )


def check_partition_columns(
    request: WriteRequest, table: DeltaTable | None, columns: list[str]
) -> None:
    """Refuse partition columns that the table, or the stream, does not have.

    Raises:
        PartitionError: They differ from the table's, are not in the stream, or leave
            no column for the files.
    """
    if lacking := sorted(set(request.partition_by) - set(columns)):
        raise PartitionError(
            f"{request.location}: the partition columns {lacking} are not in the "
            f"frame; it has {listing(columns)}"
        )
    if table is None:
        if set(columns) == set(request.partition_by):
            raise PartitionError(
                f"{request.location}: all columns are partition columns, which leaves "
                "none for the files; leave one out of partition_by"
            )
        return
    own = table.metadata().partition_columns
    replaces_all = request.schema_mode == "overwrite" and request.predicate is None
    if request.partition_by and set(request.partition_by) != set(own):
        if replaces_all:
            return
        raise PartitionError(
            f"{request.location}: the table is partitioned by {own}, not by "
            f"{list(request.partition_by)}. Set partition_by to the table's columns, "
            "or write to a new table."
        )


def target_schema(
    request: WriteRequest, table: DeltaTable | None, stream: pa.Schema
) -> pa.Schema:
    """Return the columns to write, as the table holds them.

    Raises:
        SchemaMismatchError: The stream's columns are not what the schema mode takes.
    """
    if table is None:
        return delta_schema(stream)
    if request.schema_mode == "overwrite":
        if not request.partitioned and request.predicate is None:
            return delta_schema(stream)
        raise SchemaMismatchError(
            f"{request.location}: schema mode 'overwrite' would replace the columns of "
            "the partitions that this run does not write. Use 'merge' to add columns, "
            "or write all partitions to a new table."
        )
    own = table_schema(table)
    missing, extra, changed = column_differences(stream, own)
    if isinstance(request.merge, DeleteMatched):
        missing = []
    if request.schema_mode == "merge":
        extra = []
        missing = [
            f"{f.name} ({f.type} NOT NULL)"
            for f in own
            if f.name not in stream.names and not f.nullable
        ]
    if missing or extra or changed:
        found = {
            "missing": missing,
            "not in the table": extra,
            "of another type": changed,
        }
        said = "; ".join(f"{what}: {', '.join(w)}" for what, w in found.items() if w)
        whole = request.mode == "overwrite" and not request.partitioned
        replaces = ", and 'overwrite' replaces all columns" if whole else ""
        raise SchemaMismatchError(
            f"{request.location}: the frame's columns are not the table's. {said}. "
            "Cast or select in the query; schema mode 'merge' adds columns and leaves "
            f"missing ones NULL{replaces}."
        )
    # A column of NULLs takes the table's type.
    typed = [
        own.field(f.name) if pa.types.is_null(f.type) and f.name in own.names else f
        for f in stream
    ]
    return table_order(pa.schema(typed), own)


def check_there(request: WriteRequest, table: DeltaTable | None) -> None:
    """Refuse to delete from a table that is not there.

    Raises:
        DeltaError: So it is; its columns could not be told from those of the keys.
    """
    if table is None and isinstance(request.merge, DeleteMatched):
        raise DeltaError(
            f"{request.location}: there is no table, so a merge of the kind "
            "'delete_matched' has nothing to delete from. Write the table first, with "
            "another mode or kind."
        )


def is_occupied(request: WriteRequest, table: DeltaTable) -> bool:
    """Whether the table has rows that the write owns.

    Raises:
        DeltaError: The table cannot be read.
    """
    location, predicate = request.location, request.predicate
    with delta_errors(location.uri, location.secrets):
        if predicate is None:
            return table.count() > 0
        sql = to_sql(predicate, table_schema(table))
        rows = pa.RecordBatchReader.from_stream(table.scan(predicate=sql))
        return any(batch.num_rows for batch in rows)


def check_empty(request: WriteRequest, table: DeltaTable) -> None:
    """Refuse to write in mode `error` where there are rows.

    Raises:
        CommitError: There are.
        DeltaError: The table cannot be read.
    """
    if is_occupied(request, table):
        where = (
            "the table has" if request.predicate is None else "these partitions have"
        )
        raise CommitError(
            f"{request.location}: {where} rows already, and mode 'error' replaces none."
            " Use mode 'overwrite' or 'append', or delete the rows first."
        )


def _leaves(predicate: Predicate | None) -> Iterator[In | Range]:
    if predicate is None:
        return
    if isinstance(predicate, In | Range):
        yield predicate
    else:
        for part in predicate.parts:
            yield from _leaves(part)
