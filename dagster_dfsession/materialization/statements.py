"""A query as a record keeps it: in SQL that plans as the same query again."""

from collections.abc import Collection, Mapping
from typing import Any

import pyarrow as pa
from datafusion import DataFrame

from dagster_dfsession.materialization.records import Parameter, StatementRecord
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.tables import OpenedTable
from dagster_dfsession.query.identity import PlanIdentity, neutral, plan_identity
from dagster_dfsession.query.planned import Planned, never_optimized
from dagster_dfsession.query.rebinding import respelt
from dagster_dfsession.query.scans import SCAN
from dagster_dfsession.session.runtime import SessionRuntime

BY_HAND = "unknown"
"""Origin of a function that no module of the profile declares."""


def recorded_statement(
    frame: DataFrame,
    identity: PlanIdentity,
    read: Mapping[str, OpenedTable],
    *,
    session: SessionRuntime,
    lease: Lease,
) -> StatementRecord | str:
    """Return a query as SQL from which it can be planned again; a text says why not.

    Args:
        frame: The query.
        identity: Which one it is.
        read: The Delta tables whose versions are recorded, as the plan spells them.
        session: What the lease's session says of itself.
        lease: In which it was composed.
    """
    why = next(
        (
            reason
            for reason in (
                _unrecorded(frame, identity, read, lease),
                _undeclared(identity, session),
            )
            if reason
        ),
        None,
    )
    if why is not None:
        return why
    statement = lease.statement_of(frame)
    if statement is not None:
        params = _parameters(statement.params)
        if isinstance(params, str):
            return params
        return StatementRecord(
            sql=statement.text,
            params=params,
            by="author",
            plan_hash=identity.plan_hash,
        )
    own = {opened.name: opened.table for opened in read.values()}
    again = respelt(lease.session, own, Planned(frame), scoped=lease.names)
    if isinstance(again, str):
        return again
    fresh = never_optimized(again.planned.frame, lease.session.ctx)
    return StatementRecord(
        sql=again.sql,
        params={},
        by="engine",
        plan_hash=plan_identity(fresh, session, scoped={}).plan_hash,
    )


def value_of(parameter: Parameter) -> "pa.Scalar[Any]":
    """Return what a parameter stands for.

    Examples:
        >>> value_of(parameter_of(1.5))
        <pyarrow.DoubleScalar: 1.5>
    """
    row = pa.ipc.open_stream(parameter.arrow).read_all()
    value: pa.Scalar[Any] = row.column(0)[0]
    return value


def parameter_of(value: Any) -> Parameter:
    """Return a value as a record keeps it.

    Raises:
        pyarrow.ArrowInvalid: Arrow has no type for it.

    Examples:
        >>> parameter_of("AA").text
        "'AA'"
    """
    kind = value.type if isinstance(value, pa.Scalar) else None
    plain = value.as_py() if isinstance(value, pa.Scalar) else value
    row = pa.record_batch([pa.array([plain], kind)], names=["value"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, row.schema) as stream:
        stream.write_batch(row)
    return Parameter(text=repr(plain), arrow=bytes(sink.getvalue()))


def _parameters(params: Mapping[str, Any]) -> dict[str, Parameter] | str:
    found = {}
    for name, value in sorted(params.items()):
        try:
            found[name] = parameter_of(value)
        except pa.ArrowException:
            kind = type(value).__name__
            return f"its parameter {name!r} is a {kind}, which no record can hold"
    return found


def _unrecorded(
    frame: DataFrame,
    identity: PlanIdentity,
    read: Collection[str],
    lease: Lease,
) -> str | None:
    """Return what the query names whose rows nobody could find again."""
    scoped = {name: f"<{short}>" for name, short in lease.names.items()}
    composed = neutral(frame.logical_plan().display_indent(), scoped)
    for name in sorted({*SCAN.findall(composed), *identity.tables} - {*read}):
        if name in scoped.values():
            return (
                f"it reads the registered data {name.strip('<>')!r}, and a record "
                "holds no rows"
            )
        if not name.endswith("()"):
            return f"it names {name!r}, of which no version is recorded"
    return None


def _undeclared(identity: PlanIdentity, session: SessionRuntime) -> str | None:
    """Return which function nobody could load again."""
    installed = {each.name: each for each in session.functions.entries}
    for name in identity.functions:
        if installed[name].origin == BY_HAND:
            return f"it calls {name!r}, which was registered by hand"
    for each in identity.variable:
        name, _, note = each.partition(" (")
        if note == "not installed)":
            return f"it calls {name!r}, which the session does not have by itself"
    return None
