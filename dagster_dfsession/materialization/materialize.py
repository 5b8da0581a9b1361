"""Writing what an asset returned, and knowing afterwards all there is to know of it."""

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import pyarrow as pa

from dagster_dfsession.delta.arrow_types import delta_type, table_schema
from dagster_dfsession.delta.cursor import Cursor, dump_cursor
from dagster_dfsession.delta.history import data_version
from dagster_dfsession.delta.layout import check_layout
from dagster_dfsession.delta.location import open_table
from dagster_dfsession.delta.log import CURSOR, DATA_VERSION, PARTITIONS, written_by
from dagster_dfsession.delta.merges import Custom
from dagster_dfsession.delta.partitions import (
    default_partition_columns,
    partition_columns,
    partition_predicate,
)
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.delta.written import WriteResult
from dagster_dfsession.errors import CommitError, DeltaError, listing
from dagster_dfsession.materialization.clustering import check_clustering, clustered
from dagster_dfsession.materialization.contract_rows import RuleKept
from dagster_dfsession.materialization.outputs import (
    DATA_HASH_VERSION,
    Output,
    output_of,
)
from dagster_dfsession.materialization.partition_rows import (
    PartitionRows,
    PartitionTally,
)
from dagster_dfsession.materialization.partition_values import with_partition_columns
from dagster_dfsession.materialization.promise import Promise
from dagster_dfsession.materialization.records import InputRecord
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.query.identity import PlanIdentity
from dagster_dfsession.query.metrics import QueryMetrics
from dagster_dfsession.query.stream import Execution
from dagster_dfsession.session.runtime import SessionRuntime
from dagster_dfsession.telemetry.spans import span

_APP_ID_DIGITS = 16


class Materialization(msgspec.Struct, frozen=True, kw_only=True):
    """What was written, by which session, from what.

    Attributes:
        identity: None: the value did not come from the engine.
        why_composed: Why the query ran as it was composed; None: over scans of chosen
            files, or there was no query.
        metrics: None: likewise, or an earlier attempt had written already.
        files_read: Input table -> data files that were opened; empty: not known.
        variable: Why the rows could differ if it ran again; empty if nothing.
        by_key: Partition key -> what the table has of it now; empty where the asset
            has no partitions, or the clock of their column cannot tell them apart.
        kept: The rules of the asset's contract, none of which was broken.
        cursor: How far the tables were read whose changes the step was given.
        elapsed_ms: Milliseconds of computing and writing together.
        data_version: Equal only where the rows are equal.
    """

    target: Target
    session: SessionRuntime
    identity: PlanIdentity | None
    why_composed: str | None
    metrics: QueryMetrics | None
    files_read: Mapping[str, int]
    variable: tuple[str, ...]
    inputs: tuple[InputRecord, ...]
    written: WriteResult
    by_key: Mapping[str, PartitionRows]
    kept: tuple[RuleKept, ...] = ()
    cursor: Cursor = {}
    elapsed_ms: float
    data_version: str


def materialize(
    value: Any, target: Target, tables: RunTables, lease: Lease
) -> Materialization:
    """Write a value to its table in one commit.

    Args:
        value: A DataFusion frame, which runs now, or anything with an Arrow stream.
        target: Where it goes.
        tables: The tables of the run, for the versions of the inputs.
        lease: The session that computes it.

    Raises:
        UnsupportedTypeError: The value is no table.
        QueryError: The query failed; nothing was written.
        ContractError: The columns or rows are not what the asset promises; nothing
            was committed.
        DeltaError: The write was refused; nothing was written.
    """
    started = time.perf_counter()
    session = lease.session.snapshot()
    output = output_of(
        value,
        target.name,
        session=session,
        tables=tables,
        lease=lease,
        sort_by=target.layout.sort_by,
    )
    commit_version = _commit_version(output, target)
    with span("dfsession.write", asset="/".join(target.key), run=lease.scope.run_id):
        reader = with_partition_columns(output.reader, target)
        promise = Promise(target, reader.schema)
        schema = _partition_schema(target, reader.schema)
        request = _request(target, schema, session, lease, commit_version)
        check_layout(target.layout, request.options, schema, target.name)
        check_clustering(target, request)
        tally = PartitionTally(target, schema, request.partition_by)
        with promise.checked(reader, request, lease) as rows:
            written = write_table(request, tally.counted(rows))
        written = clustered(target, request, schema, written)
    tables.written(target.key, target.location, written.version)
    by_key = tally.by_key(written)
    left_alone = target.mode == "ignore" and not written.wrote
    if left_alone:
        _check_all_there(target, by_key)
    unread = written.already_committed or left_alone
    ran = None if unread else output.execution
    return Materialization(
        target=target,
        session=session,
        identity=output.identity,
        why_composed=output.why_composed,
        metrics=None if ran is None else ran.metrics,
        files_read={} if ran is None else files_by_input(ran, output.inputs),
        variable=output.variable,
        inputs=output.inputs,
        written=written,
        by_key=by_key,
        kept=() if unread else promise.kept,
        cursor=lease.cursor,
        elapsed_ms=(time.perf_counter() - started) * 1000,
        data_version=(
            commit_version
            if commit_version is not None
            and target.mode not in ("append", "merge")
            and not unread
            else _read_back(target, written)
        ),
    )


def files_by_input(
    execution: Execution, inputs: Sequence[InputRecord]
) -> dict[str, int]:
    """Return input table -> how many of its files were opened, if that is known."""
    opened = execution.files
    if not execution.metrics.counted:
        return {}
    if opened is None:
        every = execution.metrics.files_read
        return {inputs[0].table: every} if len(inputs) == 1 else {}
    if len({each.uri for each in inputs}) < len(inputs):
        return {}  # versions of one table share files
    found = {each.table: 0 for each in inputs}
    # One table may lie in the directory of another: the longest path is the right one.
    places = sorted(
        ((_store_path(each.uri), each.table) for each in inputs), reverse=True
    )
    for path in map(unquote, opened):
        table = next((name for place, name in places if path.startswith(place)), None)
        if table is None:
            return {}
        found[table] += 1
    return found


def _store_path(uri: str) -> str:
    path = urlsplit(uri).path if "://" in uri else uri
    return f"{unquote(path).strip('/')}/"


def _commit_version(output: Output, target: Target) -> str | None:
    """Return what the rows of the commit are: these rows, in these partitions."""
    if output.content is None or target.schema_mode == "merge":
        # What merged rows have in the columns they lack, the table decides.
        return None
    payload: dict[str, Any] = {
        "content": output.content,
        "partitions": target.partition_keys,
    }
    if isinstance(target.merge, Custom):
        return None  # its SQL may be `now()`, or `random()`
    if target.merge is not None:
        payload |= {"merge": target.merge, "run_start": target.run_start}
    return content_hash("data", DATA_HASH_VERSION, payload)


def _check_all_there(target: Target, by_key: Mapping[str, PartitionRows]) -> None:
    """Refuse to leave a run's partitions alone where only some have rows."""
    if lacking := [key for key, found in by_key.items() if found.rows == 0]:
        raise CommitError(
            f"{target.location}: of the partitions of this run, {listing(lacking)} "
            "have no rows and the others have; mode 'ignore' wrote nothing. Launch it "
            "for those alone that have none."
        )


def _read_back(target: Target, written: WriteResult) -> str:
    """Return what the rows are called that the table has now, all commits together."""
    table = open_table(target.location, written.version)
    if table is None:
        raise DeltaError(f"{target.location}: the table is gone right after the write")
    keys = frozenset(target.partition_keys) or None
    return data_version(table, target.location, keys)


def _partition_schema(target: Target, schema: pa.Schema) -> pa.Schema:
    """Return the columns with those of the partitions as the table holds them.

    Without rows, some libraries give a column no type: then the table's own counts.
    """
    if target.partitions is None:
        return schema
    own = set(partition_columns(target.partitions))
    untyped = {f.name for f in schema if f.name in own and pa.types.is_null(f.type)}
    table = open_table(target.location) if untyped else None
    held = pa.schema([]) if table is None else table_schema(table)

    def typed(field: "pa.Field[Any]") -> "pa.Field[Any]":
        if field.name in untyped and field.name in held.names:
            return held.field(field.name)
        if field.name in own:
            return field.with_type(delta_type(field.type, field.name))
        return field

    return pa.schema([typed(field) for field in schema])


def _request(
    target: Target,
    schema: pa.Schema,
    session: SessionRuntime,
    lease: Lease,
    commit_version: str | None,
) -> WriteRequest:
    predicate, partition_by = None, target.partition_by or ()
    if target.partitions is not None:
        predicate = partition_predicate(target.partitions, schema)
        if target.partition_by is None:
            partition_by = default_partition_columns(target.partitions, schema)
    number = lease.next_write(target.name)
    return WriteRequest(
        location=target.location,
        mode=target.mode,
        schema_mode=target.schema_mode,
        merge=target.merge,
        run_start=target.run_start or dt.datetime.now(dt.timezone.utc),
        partitioned=target.partitions is not None,
        predicate=predicate,
        partition_by=partition_by,
        options=target.layout.over(lease.session.plan.delta),
        declared=target.declared,
        commit_metadata=_commit_metadata(target, session, lease, commit_version),
        app_id=_app_id(target, lease, number),
        app_version=1,
        # A second write of the step is made of what the first has taken the turn of.
        turns=lease.turns(target.location) if number == 0 else {},
    )


def _app_id(target: Target, lease: Lease, number: int) -> str:
    """Return what an attempt after a lost acknowledgement knows its commit by.

    It names no attempt, and each run, step, asset, set of partitions and write of it.
    """
    keys = content_hash("partition_keys", 1, target.partition_keys)[:_APP_ID_DIGITS]
    parts = (lease.scope.run_id, lease.scope.step, "/".join(target.key), keys, number)
    return "/".join(["dfsession", *map(str, parts)])


def _commit_metadata(
    target: Target, session: SessionRuntime, lease: Lease, commit_version: str | None
) -> dict[str, str]:
    asset, run_id = "/".join(target.key), lease.scope.run_id
    metadata = written_by(asset, run_id, session.session_hash)
    if lease.cursor:
        metadata[CURSOR] = dump_cursor(lease.cursor)
    if commit_version is not None:
        metadata[DATA_VERSION] = commit_version
    if target.partitions is not None:
        metadata[PARTITIONS] = msgspec.json.encode(target.partition_keys).decode()
    return metadata
