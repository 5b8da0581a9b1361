"""Writing what an asset returned, and knowing afterwards all there is to know of it."""

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa
from datafusion import DataFrame
from deltalake import DeltaTable

from dagster_dfsession.delta.history import data_version
from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.log import DATA_VERSION, PARTITIONS
from dagster_dfsession.delta.partitions import (
    MultiKeys,
    PartitionRequest,
    StaticKeys,
    default_partition_columns,
    partition_predicate,
)
from dagster_dfsession.delta.request import SchemaMode, WriteMode, WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.delta.windows import TimeWindows
from dagster_dfsession.delta.written import WriteResult
from dagster_dfsession.errors import DeltaError, UnsupportedTypeError
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.pool.tables import OpenedTable, RunTables
from dagster_dfsession.query.identity import PlanIdentity, plan_identity
from dagster_dfsession.query.metrics import QueryMetrics
from dagster_dfsession.query.stream import Execution
from dagster_dfsession.records import InputRecord
from dagster_dfsession.session.failures import engine_errors
from dagster_dfsession.session.runtime import SessionRuntime

DATA_HASH_VERSION = 1


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where an asset's rows go, and which of them this run owns.

    Attributes:
        key: The asset key.
        partitions: None: the asset has no partitions.
        partition_keys: The keys of this run, sorted as in `partitions`.
        partition_by: Columns to divide a new table's files by. None: those of the
            partitions, less timestamps.
    """

    key: tuple[str, ...]
    location: Location
    partitions: PartitionRequest | None = None
    partition_keys: tuple[str, ...] = ()
    partition_by: tuple[str, ...] | None = None
    mode: WriteMode = "overwrite"
    schema_mode: SchemaMode = "strict"

    @property
    def name(self) -> str:
        """The asset and its partitions, for messages."""
        keys = f" [{', '.join(self.partition_keys)}]" if self.partition_keys else ""
        return f"{'/'.join(self.key)}{keys}"

    def each_partition(self) -> Iterator[tuple[str, PartitionRequest]]:
        """Return each partition key with the request for it alone."""
        request = self.partitions
        if isinstance(request, StaticKeys):
            alone: list[PartitionRequest] = [StaticKeys(request.column, (key,)) for key in request.keys]
        elif isinstance(request, TimeWindows):
            alone = [TimeWindows(request.column, (each,)) for each in request.windows]
        elif isinstance(request, MultiKeys):
            alone = [MultiKeys((each,)) for each in request.keys]
        else:
            alone = []
        return zip(self.partition_keys, alone, strict=True)


class Materialization(msgspec.Struct, frozen=True, kw_only=True):
    """What was written, by which session, from what.

    Attributes:
        identity: None: the value did not come from the engine.
        metrics: None: likewise.
        variable: Why the rows could differ if it ran again; empty if nothing.
        elapsed_ms: Milliseconds of computing and writing together.
        data_version: Equal only where the rows are equal.
    """

    target: Target
    session: SessionRuntime
    identity: PlanIdentity | None
    metrics: QueryMetrics | None
    variable: tuple[str, ...]
    inputs: tuple[InputRecord, ...]
    arrow_schema: pa.Schema
    written: WriteResult
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
        DeltaError: The write was refused; nothing was written.
    """
    started = time.perf_counter()
    session = lease.session.snapshot()
    identity = _identity(value, target, session, lease)
    inputs, unknown = _inputs(identity, tables, lease)
    variable = (*(identity.variable if identity else ("not a query",)), *unknown)
    made = _commit_version(identity, inputs, target) if not variable else None
    execution = Execution(value, f"computing {target.name}") if identity else None
    reader = execution.reader if execution else _arrow_stream(value, target)
    written = write_table(_request(target, reader.schema, session, lease, made), reader)
    tables.written(target.key)
    return Materialization(
        target=target,
        session=session,
        identity=identity,
        metrics=execution.metrics if execution else None,
        variable=variable,
        inputs=inputs,
        arrow_schema=reader.schema,
        written=written,
        elapsed_ms=(time.perf_counter() - started) * 1000,
        data_version=made if made and target.mode != "append" else _read_back(target, written),
    )


def _identity(
    value: Any, target: Target, session: SessionRuntime, lease: Lease
) -> PlanIdentity | None:
    if not isinstance(value, DataFrame):
        return None
    scoped = {name: f"<{short}>" for name, short in lease.names.items()}
    with engine_errors(f"planning {target.name}"):
        return plan_identity(value, session, scoped=scoped)


def _inputs(
    identity: PlanIdentity | None, tables: RunTables, lease: Lease
) -> tuple[tuple[InputRecord, ...], tuple[str, ...]]:
    """Return the Delta tables that were read, and the names that are no such table."""
    if identity is None:
        return tuple(_input(*each) for each in lease.loaded.values()), ()
    read, unknown = [], []
    for spelt in identity.tables:
        name = tables.spelt(spelt)
        opened = tables.opened(name)
        if name in lease.loaded:
            read.append(_input(*lease.loaded[name]))
        elif opened is not None:
            read.append(_input(opened, ()))
        else:
            unknown.append(f"table {spelt}")
    return tuple(read), tuple(unknown)


def _input(opened: OpenedTable, keys: tuple[str, ...]) -> InputRecord:
    return InputRecord(
        table=".".join(opened.key),
        uri=opened.location.uri,
        version=opened.version,
        partitions=keys,
        data_version=data_version(
            opened.delta, opened.location, frozenset(keys) if keys else None
        ),
        files=len(opened.delta.file_uris()),
    )


def _commit_version(
    identity: PlanIdentity | None, inputs: tuple[InputRecord, ...], target: Target
) -> str | None:
    """Return what the rows of this write are: a function of the query and its inputs."""
    if identity is None:
        return None
    return content_hash(
        "data",
        DATA_HASH_VERSION,
        {
            "plan": identity.plan_hash,
            "inputs": {each.table: each.data_version for each in inputs},
            "partitions": target.partition_keys,
        },
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
    predicate, partition_by = None, target.partition_by or ()
    if target.partitions is not None:
        predicate = partition_predicate(target.partitions, schema)
        if target.partition_by is None:
            partition_by = default_partition_columns(target.partitions, schema)
    scope = lease.scope
    appends = target.mode == "append"
    return WriteRequest(
        location=target.location,
        mode=target.mode,
        schema_mode=target.schema_mode,
        partitioned=target.partitions is not None,
        predicate=predicate,
        partition_by=partition_by,
        options=lease.session.plan.delta,
        commit_metadata=_commit_metadata(target, session, scope, commit_version),
        # An overwrite may be repeated; rows appended twice would be there twice.
        app_id=f"dfsession/{scope.run_id}/{scope.step}/{target.name}" if appends else None,
        app_version=1,
    )


def _commit_metadata(
    target: Target, session: SessionRuntime, scope: Scope, commit_version: str | None
) -> dict[str, str]:
    keys = msgspec.json.encode(target.partition_keys).decode()
    version = {} if commit_version is None else {DATA_VERSION: commit_version}
    partitions = {PARTITIONS: keys} if target.partitions is not None else {}
    return {
        "dfsession.asset": "/".join(target.key),
        "dfsession.run_id": scope.run_id,
        "dfsession.session_hash": session.session_hash,
        **version,
        **partitions,
    }


def _arrow_stream(value: Any, target: Target) -> pa.RecordBatchReader:
    if isinstance(value, DeltaTable):
        value = value.scan()
    if isinstance(value, pa.RecordBatchReader):
        return value
    if hasattr(value, "collect_batches"):
        return _lazy_batches(value)
    if not hasattr(value, "__arrow_c_stream__"):
        raise UnsupportedTypeError(
            f"{target.name} returned a {type(value).__name__}, which is no table: return "
            "a datafusion DataFrame, a deltalake DeltaTable, a pyarrow Table or "
            "RecordBatchReader, or a polars or pandas DataFrame"
        )
    return pa.RecordBatchReader.from_stream(value)


def _lazy_batches(value: Any) -> pa.RecordBatchReader:
    """Stream a polars LazyFrame: the only one that has no Arrow stream of its own."""
    empty = value.collect_schema().to_frame().to_arrow()
    batches = (b for part in value.collect_batches() for b in part.to_arrow().to_batches())
    return pa.RecordBatchReader.from_batches(empty.schema, batches)
