"""From a query to its artifact: planned, and nothing run."""

from collections.abc import Callable, Collection, Mapping

from datafusion import DataFrame
from datafusion.substrait import Producer

from dagster_dfsession.errors import QueryError, listing
from dagster_dfsession.materialization.artifact import (
    Encoded,
    NotEncoded,
    PinnedTable,
    PlanArtifact,
    PlanBytes,
)
from dagster_dfsession.materialization.records import StatementRecord
from dagster_dfsession.materialization.statements import (
    parameter_of,
    recorded_statement,
)
from dagster_dfsession.plan.classification import result_settings
from dagster_dfsession.pool.asking import optimizing_errors
from dagster_dfsession.pool.inputs import tables_spelt
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.reading import PROVIDER, Reading, bound
from dagster_dfsession.pool.tables import OpenedTable, RunTables
from dagster_dfsession.query.identity import (
    PlanIdentity,
    neutral,
    neutral_name,
    plan_identity,
)
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.query.scans import SCAN
from dagster_dfsession.session.failures import engine_errors
from dagster_dfsession.session.runtime import SessionRuntime


def compiled(frame: DataFrame, lease: Lease, tables: RunTables) -> PlanArtifact:
    """Plan a query, and return all there is to know of it before it runs.

    Args:
        frame: Composed over the tables of the run.
        lease: In which it was composed.
        tables: The tables of the run.

    Raises:
        QueryError: It does not plan.
        DeltaError: A data file of a table is gone.
    """
    session = lease.session.snapshot()
    scoped = {name: neutral_name(short) for name, short in lease.names.items()}
    with optimizing_errors(frame, "compiling", lease):
        identity = plan_identity(frame, session, scoped=scoped)
        logical = neutral(frame.logical_plan().display_indent(), scoped)
        physical = neutral(frame.execution_plan().display_indent().rstrip(), scoped)
        composed = Planned(frame)
        columns = composed.schema
    # A table that the optimizer has left out has to be there all the same.
    spelt = {*identity.tables, *SCAN.findall(logical)}
    read = tables_spelt(spelt, lease.loaded, tables)
    data = {
        short: lease.digests.get(name)
        for name, short in lease.names.items()
        if scoped[name] in spelt
    }
    reading = bound(frame, lease, tables)
    foreign = _foreign(reading, data)
    # Else the code of functions is in the bytes, with all that it holds.
    ctx = lease.session.ctx.with_python_udf_inlining(enabled=False)
    return PlanArtifact(
        statement=_statement(frame, identity, read, data, session=session, lease=lease),
        logical=logical,
        optimized=identity.text,
        physical=physical,
        optimized_protobuf=foreign
        or _encoded(lambda: reading.frame.optimized_logical_plan().to_bytes(ctx)),
        physical_protobuf=foreign
        or _encoded(lambda: reading.frame.execution_plan().to_bytes(ctx)),
        substrait=_encoded(
            lambda: Producer.to_substrait_plan(composed.optimized, ctx).encode()
        ),
        columns=tuple((field.name, str(field.type)) for field in columns),
        functions={
            entry.name: entry.digest
            for entry in session.functions.used(identity.functions)
        },
        data=data,
        inputs=tuple(_pinned(read[name], lease) for name in sorted(read)),
        plan_hash=identity.plan_hash,
        result_settings=result_settings(session.settings),
        result_settings_hash=session.result_settings_hash,
        variable=identity.variable,
        engine=session.versions,
    )


def _statement(
    frame: DataFrame,
    identity: PlanIdentity,
    read: Mapping[str, OpenedTable],
    data: Mapping[str, str | None],
    *,
    session: SessionRuntime,
    lease: Lease,
) -> StatementRecord | str:
    statement = lease.statement_of(frame)
    if data and statement is not None:
        names = {table for _, table in statement.names}
        if names.issuperset(data):
            # A record would have lost the data; who runs an artifact gives them again.
            return StatementRecord(
                sql=statement.text,
                params={k: parameter_of(v) for k, v in statement.params.items()},
                by="author",
                plan_hash=identity.plan_hash,
            )
    return recorded_statement(frame, identity, read, session=session, lease=lease)


def _pinned(opened: OpenedTable, lease: Lease) -> PinnedTable:
    return PinnedTable(
        key=opened.key,
        uri=opened.location.uri,
        version=opened.version,
        id=str(opened.delta.metadata().id),
        given=opened.name in lease.loaded,
    )


def _foreign(reading: Reading, data: Collection[str]) -> NotEncoded | None:
    """Return why what would run is not written down; None: it may be."""
    if data:
        # The engine would write their rows.
        return NotEncoded(why=f"it reads data that was given: {listing(data)}")
    for (_, table), read in sorted(reading.tables.items()):
        if read.how == PROVIDER:
            return NotEncoded(
                why=f"{table!r} would be read by deltalake's provider, which has no "
                f"such form ({read.why})"
            )
    return None


def _encoded(encode: Callable[[], bytes]) -> PlanBytes:
    try:
        with engine_errors("no such form"):
            return Encoded(data=encode())
    except QueryError as error:
        return NotEncoded(why=str(error))
