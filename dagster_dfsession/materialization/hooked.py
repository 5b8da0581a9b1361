"""The hooks of a session around its writes."""

from typing import Any

from dagster_dfsession.materialization.materialize import (
    Materialization,
    materialize,
)
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.tables import RunTables


def materialize_hooked(
    value: Any, target: Target, tables: RunTables, lease: Lease
) -> Materialization:
    """Write a value as `materialize` does; tell the hooks of the session.

    An exception of `after_write` fails the step, though the table is written: another
    attempt of the step finds its commit and does not write again.

    Raises:
        DfSessionError: As `materialize`, or what a hook raised.
    """
    hooks = lease.session.hooks
    with hooks.told_of_errors():
        if hooks.before_write is not None:
            hooks.before_write(target)
        made = materialize(value, target, tables, lease)
        if hooks.after_write is not None:
            hooks.after_write(made)
        return made
