"""Work of a step that failed: told to who is told of the work."""

import contextlib
from collections.abc import Iterator

from dagster_dfsession.errors import DfSessionError
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.session.failures import shortened
from dagster_dfsession.telemetry.payloads import WorkFailed

A_QUERY = "a query"


def record_failure(
    error: DfSessionError, doing: str, lease: Lease, query: str | None
) -> None:
    """Record an error; the query is left out of it where its text is kept back.

    Args:
        error: What the work ended with.
        doing: What was being done.
        lease: The session that did it, and for whom.
        query: What the error may quote; None: no text is known.
    """
    said = str(error)
    if query is not None and lease.session.plan.reporting.shown(query) is None:
        said = said.replace(repr(shortened(query)), A_QUERY)
    failed = WorkFailed(doing=doing, error=type(error).__name__, message=said)
    scope = lease.scope
    lease.session.recorder.record(failed, step=scope.step, attempt=scope.attempt)


@contextlib.contextmanager
def recorded_failure(doing: str, lease: Lease, query: str | None) -> Iterator[None]:
    """Record an error of ours that leaves the block, and let it pass."""
    try:
        yield
    except DfSessionError as error:
        record_failure(error, doing, lease, query)
        raise
