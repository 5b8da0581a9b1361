"""Queries of a run: planned, or read as they come, and told of."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from datafusion import DataFrame

from dagster_dfsession.pool.failing import (
    A_QUERY,
    record_failure,
    recorded_failure,
)
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.reading import bound, explained
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.query.counted import count_reading
from dagster_dfsession.query.result import Result
from dagster_dfsession.query.stream import Execution
from dagster_dfsession.session.failures import engine_errors, shortened
from dagster_dfsession.telemetry.payloads import QueryRead


def plan_query(
    query: str,
    run: RunSession,
    lease: Lease,
    *,
    params: Mapping[str, Any] | None,
    tables: Mapping[str, Any],
) -> DataFrame:
    """Plan a query of a step; nothing runs yet.

    Raises:
        QueryError: The engine, or the profile's SQL policy, refused the query.
    """
    with run.trace.current(), recorded_failure(f"planning {A_QUERY}", lease, query):
        frame = _planned(query, run, lease, params=params, tables=tables)
        return explained(frame, lease, run.tables)


def optimizing_errors(
    frame: DataFrame, doing: str, lease: Lease
) -> AbstractContextManager[None]:
    """Turn what the engine says as it optimizes a query of a step into our errors.

    Raises:
        QueryError: It quotes the query where there is one.
    """
    statement = lease.statement_of(frame)
    if statement is None:
        return engine_errors(doing)
    query = statement.text
    return engine_errors(f"{doing}, {shortened(query)!r}", lease.session.asked(query))


def read_query(
    query: str | DataFrame,
    run: RunSession,
    lease: Lease,
    *,
    params: Mapping[str, Any] | None,
    tables: Mapping[str, Any],
) -> Result:
    """Return the rows of a query of a step as they come; at their end it is recorded.

    Raises:
        QueryError: The engine, or the profile's SQL policy, refused the query.
    """
    text = query if isinstance(query, str) else None
    what = "a frame" if text is None else repr(shortened(text))
    with run.trace.current(), recorded_failure(f"planning {A_QUERY}", lease, text):
        if isinstance(query, str):
            query = _planned(query, run, lease, params=params, tables=tables)
        with optimizing_errors(query, "planning", lease):
            reading = bound(query, lease, run.tables)

        def ended(execution: Execution) -> None:
            with run.trace.current():
                _record(execution, text, lease)

        return Result(
            reading.frame,
            f"reading {what}",
            schema=reading.schema,
            ended=ended,
            loop=lambda: run.event_loop,
        )


def _planned(
    query: str,
    run: RunSession,
    lease: Lease,
    *,
    params: Mapping[str, Any] | None,
    tables: Mapping[str, Any],
) -> DataFrame:
    """Plan a query over tables and views; what the step was given hides a view."""
    given = (run.tables.name_of([name]) for name in (*tables, *lease.names.values()))
    text, values = run.views.within(query, params or {}, taken={*given, *lease.loaded})
    return lease.sql(text, params=values, tables=tables)


def _record(execution: Execution, text: str | None, lease: Lease) -> None:
    metrics, recorder = execution.metrics, lease.session.recorder
    count_reading(recorder.totals, metrics)
    if execution.failure is not None:
        record_failure(execution.failure, f"reading {A_QUERY}", lease, text)
        return
    shown = lease.session.plan.reporting.shown
    recorder.record(
        QueryRead(
            statement=None if text is None else shown(text),
            rows=execution.rows,
            rows_read=metrics.rows_read,
            bytes_scanned=metrics.bytes_scanned,
            files_read=metrics.files_read,
            spilled_bytes=metrics.spilled_bytes,
            elapsed_ms=execution.elapsed_ms,
        ),
        step=lease.scope.step,
        attempt=lease.scope.attempt,
    )
