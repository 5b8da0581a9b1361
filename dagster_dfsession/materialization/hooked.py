"""The hooks of a session around its writes."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from dagster_dfsession.materialization.target import Target
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.tables import RunTables

W = TypeVar("W")
Write = Callable[[Any, Target, RunTables, Lease], W]


def with_hooks(write: Write[W]) -> Write[W]:
    """Return `write` with `before_write`, `after_write` and `on_error` around it.

    An exception of `after_write` fails the step, though the table is written: another
    attempt of the step finds its commit and does not write again.
    """

    @functools.wraps(write)
    def hooked(value: Any, target: Target, tables: RunTables, lease: Lease) -> W:
        hooks = lease.session.hooks
        with hooks.told_of_errors():
            if hooks.before_write is not None:
                hooks.before_write(target)
            written = write(value, target, tables, lease)
            if hooks.after_write is not None:
                hooks.after_write(written)
            return written

    return hooked
