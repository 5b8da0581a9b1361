"""Writing a stream to a Delta table."""

import itertools
from collections.abc import Iterable
from typing import Any

import msgspec
import pyarrow as pa
import tenacity
from deltalake import (
    CommitProperties,
    DeltaTable,
    Transaction,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError

from dagster_dfsession.delta.arrow_types import delta_schema, table_schema
from dagster_dfsession.delta.committed import told_of
from dagster_dfsession.delta.failures import delta_errors, says_present
from dagster_dfsession.delta.gate import PROCESS_GATE
from dagster_dfsession.delta.inspected import InspectedStream
from dagster_dfsession.delta.layout import (
    statistics_properties,
    target_file_size,
    writer_properties,
)
from dagster_dfsession.delta.location import open_table
from dagster_dfsession.delta.log import SCOPE
from dagster_dfsession.delta.merge import merge_table
from dagster_dfsession.delta.merge_source import (
    MergeSource,
    frame_columns,
    stored_columns,
)
from dagster_dfsession.delta.predicate import columns, to_sql
from dagster_dfsession.delta.properties import add_constraints, apply_declared
from dagster_dfsession.delta.protocol import check_protocol
from dagster_dfsession.delta.request import (
    WriteRequest,
    check_empty,
    check_partition_columns,
    check_request,
    check_there,
    is_occupied,
    target_schema,
)
from dagster_dfsession.delta.turns import check_turns, next_turns
from dagster_dfsession.delta.written import (
    RowsMerged,
    WriteResult,
    result_of_earlier,
    result_of_nothing,
    result_of_write,
)
from dagster_dfsession.errors import CommitError, DeltaError

_CREATION_TRIES = 8


def write_table(request: WriteRequest, stream: pa.RecordBatchReader) -> WriteResult:
    """Write a stream to a table in one commit, creating the table if need be.

    Holds a few batches at a time, a merge all of them. Rows outside the predicate,
    NULLs where the table takes none and values that do not fit end the write with
    nothing committed. An empty stream overwrites the rows that the predicate selects
    with none.

    Args:
        request: What to write, where and how.
        stream: Read to its end, unless an earlier attempt has committed already, or
            there are rows in mode `ignore`.

    Raises:
        PartitionError: Predicate, rows and partition columns do not fit together.
        SchemaMismatchError: Columns or values do not fit the table.
        CommitError: There are rows in mode `error`, keys of a merge are NULL or come
            twice, another run has committed the same changes, or another writer was
            first.
        DeltaError: The storage refused.
        BaseException: What the stream itself raises comes through as it is.

    Examples:
        >>> import tempfile
        >>> from dagster_dfsession.delta.location import Lake
        >>> flights = Lake(tempfile.mkdtemp()).table(["raw", "flights"])
        >>> rows = pa.table({"carrier": ["AA", "UA"]}).to_reader()
        >>> result = write_table(WriteRequest(location=flights), rows)
        >>> result.version, result.rows, result.table_rows
        (0, 2, 2)
    """
    check_request(request)
    table = open_table(request.location)
    if table is not None:
        check_protocol(table, request.location, request.options, writing=True)
    if earlier := _earlier(request, table):
        return earlier
    check_turns(request.turns, table, request.location)
    if table is not None and request.mode == "ignore" and is_occupied(request, table):
        return result_of_nothing(table, request.location)
    check_there(request, table)
    stored = stored_columns(request.merge, stream.schema)
    check_partition_columns(request, table, stored.names)
    first = next(stream, None)  # a query that fails at once changes no table
    if table is not None:
        apply_declared(table, request.location, request.declared)
    if table is None and (
        request.partitioned or request.mode in ("append", "merge") or request.declared
    ):
        probe = _inspected(request, None, stream.schema, _some(first))
        if request.merge is None:
            probe.check()
        else:
            MergeSource(request.merge, probe, request.run_start).exhaust()
        # Made empty first, a table can be created by many writers at once, each of
        # which then commits its own rows.
        table = _created(request, delta_schema(stored))
        check_turns(request.turns, table, request.location)
        request = msgspec.structs.replace(request, schema_mode="strict")
        check_partition_columns(request, table, stored.names)
    if table is not None and request.mode == "error":
        check_empty(request, table)
    inspected = _inspected(
        request, table, stream.schema, itertools.chain(_some(first), stream)
    )
    before = None if table is None else table.version()
    try:
        return told_of(_commit(request, table, inspected), inspected, before)
    except CommitError:
        # Two attempts with one idempotence key: the other one was first.
        table = open_table(request.location)
        if earlier := _earlier(request, table):
            return earlier
        check_turns(request.turns, table, request.location)
        raise


def _earlier(request: WriteRequest, table: DeltaTable | None) -> WriteResult | None:
    if table is None or request.app_id is None:
        return None
    with delta_errors(request.location.uri, request.location.secrets):
        written = table.transaction_version(request.app_id)
    if written is None or written < request.app_version:
        return None
    return result_of_earlier(table, request.location, request.app_id, written)


def _some(batch: pa.RecordBatch | None) -> list[pa.RecordBatch]:
    return [] if batch is None else [batch]


def _inspected(
    request: WriteRequest,
    table: DeltaTable | None,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
) -> InspectedStream:
    own = pa.schema([]) if table is None else table_schema(table)
    stored = target_schema(request, table, stored_columns(request.merge, schema))
    return InspectedStream(
        batches,
        frame_columns(request.merge, stored, schema),
        table=request.location.uri,
        required=[field.name for field in own if not field.nullable],
        predicate=request.predicate,
    )


def _created(request: WriteRequest, schema: pa.Schema) -> DeltaTable:
    """Create the empty table, or open the one that another writer created first."""
    location = request.location

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(CommitFailedError),
        stop=tenacity.stop_after_attempt(_CREATION_TRIES),
        wait=tenacity.wait_random_exponential(multiplier=0.05, max=1),
        reraise=True,
    )
    def attempt() -> DeltaTable:
        return open_table(location) or DeltaTable.create(
            location.uri,
            schema,
            mode="ignore",
            partition_by=list(request.partition_by),
            configuration=statistics_properties(request.options)
            | request.declared.properties,
            storage_options=location.options,
            # With its default of 15, a late creation commits above the rows of an
            # early one, under a new table id.
            commit_properties=CommitProperties(max_commit_retries=0),
        )

    with delta_errors(location.uri, location.secrets):
        table = attempt()
    add_constraints(table, location, request.declared.constraints)
    return table


def _commit(
    request: WriteRequest, table: DeltaTable | None, inspected: InspectedStream
) -> WriteResult:
    """Write and commit; return what the commit holds."""
    location, options = request.location, request.options
    overwrites = request.mode not in ("append", "merge")
    replaces_all = overwrites and request.predicate is None
    metadata = dict(request.commit_metadata)
    if request.predicate is not None:
        metadata[SCOPE] = _scope(request, table, overwrites=overwrites)
    transactions = (
        []
        if request.app_id is None
        else [Transaction(request.app_id, request.app_version)]
    )
    writer = writer_properties(options, inspected.target)
    commit = CommitProperties(
        custom_metadata=metadata,
        # A lost race for the creation must not become a second commit of it. Tried
        # again above a compaction, deltalake would leave all old rows in the table.
        max_commit_retries=(
            0 if table is None or replaces_all else options.max_commit_retries
        ),
        app_transactions=[*transactions, *next_turns(request.turns)],
    )
    if request.merge is not None and table is not None:
        merge = request.merge
        changed = merge_table(
            request, merge, table, inspected, writer=writer, commit=commit
        )
        return (
            result_of_write(table, location, inspected.rows)
            if changed
            else result_of_nothing(table, location, RowsMerged())
        )
    arguments: dict[str, Any] = {
        "mode": "overwrite" if overwrites else "append",
        "schema_mode": None if request.schema_mode == "strict" else request.schema_mode,
        "partition_by": list(request.partition_by) or None,
        "target_file_size": target_file_size(options, table, request.partition_by),
        "writer_properties": writer,
        "commit_properties": commit,
    }
    if table is None:
        # One that another run has made meanwhile is not replaced.
        arguments |= {"mode": "error", "schema_mode": None}
        arguments["storage_options"] = location.options
        arguments["configuration"] = statistics_properties(options)
    if request.predicate is not None and overwrites:
        arguments["predicate"] = to_sql(request.predicate, inspected.target)
    try:
        with (
            delta_errors(location.uri, location.secrets),
            PROCESS_GATE.streaming(),
        ):
            write_deltalake(table or location.uri, inspected.reader(), **arguments)
    except DeltaError as error:
        if inspected.failure is not None:
            raise inspected.failure from None
        if table is None and says_present(error):
            raise CommitError(str(error)) from None
        raise
    if table is None:
        table = open_table(location, version=0)
    if table is None:
        raise DeltaError(f"{location}: the table is gone right after it was written")
    return result_of_write(table, location, inspected.rows)


def _scope(request: WriteRequest, table: DeltaTable | None, *, overwrites: bool) -> str:
    """Whether the commit's files hold rows of its own keys only."""
    if request.predicate is None or not overwrites or table is None:
        return "files"
    divided = frozenset(table.metadata().partition_columns)
    return "files" if columns(request.predicate) <= divided else "rows"
