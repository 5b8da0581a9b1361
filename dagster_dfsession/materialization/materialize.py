"""Writing what an asset returned, and knowing afterwards all there is to know of it."""

import time
from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa

from dagster_dfsession.delta.cursor import Cursor, dump_cursor
from dagster_dfsession.delta.history import data_version
from dagster_dfsession.delta.location import open_table
from dagster_dfsession.delta.log import CURSOR, DATA_VERSION, PARTITIONS, written_by
from dagster_dfsession.delta.merges import Custom
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.delta.written import WriteResult
from dagster_dfsession.engines.remote import RemoteQuery
from dagster_dfsession.errors import CommitError, DeltaError, listing
from dagster_dfsession.materialization.clustering import clustered
from dagster_dfsession.materialization.contract_rows import RuleKept
from dagster_dfsession.materialization.determinism import (
    arranged,
    pinned_request,
    policy_of,
)
from dagster_dfsession.materialization.elsewhere import output_elsewhere
from dagster_dfsession.materialization.files_read import files_by_input
from dagster_dfsession.materialization.intended import (
    intended_write,
    partition_schema,
)
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
from dagster_dfsession.materialization.records import InputRecord, StatementRecord
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.profile.materialization import MaterializationProfile
from dagster_dfsession.query.identity import PlanIdentity
from dagster_dfsession.query.lineage import Lineage
from dagster_dfsession.query.metrics import OperatorMetrics, QueryMetrics
from dagster_dfsession.session.runtime import SessionRuntime
from dagster_dfsession.telemetry.spans import describe, span

_APP_ID_DIGITS = 16


class Materialization(msgspec.Struct, frozen=True, kw_only=True):
    """What was written, by which session, from what.

    Attributes:
        policy: What the target and the profile say of it, together.
        identity: None: the value did not come from the engine.
        lineage: Where its columns come from, tables as in `inputs`; None: likewise.
        why_composed: Why the query ran as it was composed; None: over scans of chosen
            files, or there was no query.
        ran_on: The engine and its version, if it is not the session's own.
        statement: The query as it can be planned again; a text says why not.
        metrics: None: likewise, or an earlier attempt had written already.
        operators: What each operator did, as the physical plan orders them; empty
            where there are no metrics.
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
    policy: MaterializationProfile = MaterializationProfile()
    session: SessionRuntime
    identity: PlanIdentity | None
    lineage: Lineage | None = None
    why_composed: str | None
    ran_on: str | None = None
    statement: StatementRecord | str
    metrics: QueryMetrics | None
    operators: tuple[OperatorMetrics, ...] = ()
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
        value: A DataFusion frame or a `RemoteQuery`, which runs now, or anything with
            an Arrow stream.
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
    policy = policy_of(target, lease.session.plan.materialization)
    traced: Any = {
        "asset": "/".join(target.key),
        "partition": ",".join(target.partition_keys) or None,
        "run_id": lease.scope.run_id,
        "step": lease.scope.step,
    }
    tells_why = lease.session.plan.reporting.query_text
    with span("dfsession.compile", tells_why=tells_why, **traced):
        planned = output_elsewhere if isinstance(value, RemoteQuery) else output_of
        output = planned(
            value,
            target.name,
            session=session,
            tables=tables,
            lease=lease,
            sort_by=target.layout.sort_by,
            determinism=policy.determinism,
        )
    commit_version = _commit_version(output, target)
    with span("dfsession.write", **traced) as writing:
        reader = with_partition_columns(output.reader, target)
        promise = Promise(target, reader.schema)
        schema = partition_schema(target, reader.schema)
        request = pinned_request(
            _request(target, schema, session, lease, commit_version),
            policy.determinism,
        )
        tally = PartitionTally(target, schema, request.partition_by)
        with promise.checked(reader, request, lease) as checked:
            rows = arranged(checked, policy, target.name, lease.session.spill_dir)
            written = write_table(request, tally.counted(rows))
        written = clustered(target, request, schema, written)
        describe(writing, rows=written.rows, bytes=written.bytes)
    tables.written(target.key, target.location, written.version)
    by_key = tally.by_key(written)
    left_alone = target.mode == "ignore" and not written.wrote
    if left_alone:
        _check_all_there(target, by_key)
    unread = written.already_committed or left_alone
    ran = None if unread else output.execution
    return Materialization(
        target=target,
        policy=policy,
        session=session,
        identity=output.identity,
        lineage=output.lineage,
        why_composed=output.why_composed,
        ran_on=output.ran_on,
        statement=output.statement,
        metrics=None if ran is None else ran.metrics,
        operators=() if ran is None else ran.operators,
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


def _request(
    target: Target,
    schema: pa.Schema,
    session: SessionRuntime,
    lease: Lease,
    commit_version: str | None,
) -> WriteRequest:
    number = lease.next_write(target.name)
    return msgspec.structs.replace(
        intended_write(target, schema, lease.session.plan.delta),
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
