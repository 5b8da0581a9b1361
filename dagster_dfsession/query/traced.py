"""An execution as spans: itself, and the scans of files below it."""

import datetime as dt
from collections.abc import Iterator

from datafusion import DataFrame
from datafusion.plan import MetricsSet
from opentelemetry.context import Context
from opentelemetry.trace import (
    Span,
    Status,
    StatusCode,
    get_current_span,
    set_span_in_context,
)

from dagster_dfsession.query.metrics import SCAN, QueryMetrics
from dagster_dfsession.telemetry.spans import describe, start_span


def begin_execution(composed: Context) -> Span:
    """Begin the span of an execution, below whatever asks for its rows.

    Args:
        composed: Where it was composed: its place if a thread of another library asks.
    """

    def place() -> Context | None:
        asked = get_current_span().get_span_context().is_valid
        return None if asked else composed

    return start_span("dfsession.execute", place)


def end_execution(
    execution: Span,
    *,
    rows: int,
    failure: Exception | None,
    metrics: QueryMetrics | None,
    frame: DataFrame,
) -> None:
    """End the span of an execution; nothing is asked of the engine if nobody looks.

    Args:
        execution: The span.
        rows: Rows handed out.
        failure: What ended it early; None: nothing, or its reader.
        metrics: Its totals; None: it did not come to run.
        frame: What ran.
    """
    if execution.is_recording():
        describe(execution, rows=rows)
        if failure is not None:
            # Its message may quote the query.
            execution.set_status(Status(StatusCode.ERROR, type(failure).__name__))
        if metrics is not None:
            describe(
                execution,
                rows_read=metrics.rows_read,
                bytes=metrics.bytes_scanned,
                files=metrics.files_read,
                spilled_bytes=metrics.spilled_bytes,
            )
            below = set_span_in_context(execution)
            for scan in _scans(frame):
                _trace_scan(scan, below)
    execution.end()


def _scans(frame: DataFrame) -> Iterator[MetricsSet]:
    for name, metrics in frame.execution_plan().collect_metrics():
        if SCAN in name.split("(")[0]:
            yield metrics


def _trace_scan(scan: MetricsSet, below: Context) -> None:
    """Add the span of a scan that is over; the engine has noted when it was."""
    starts = _moments(scan, "start_timestamp")
    ends = _moments(scan, "end_timestamp")
    if not starts or not ends:
        return
    span = start_span(
        "dfsession.scan",
        lambda: below,
        start_ns=_ns(min(starts)),
        rows=scan.output_rows,
        bytes=scan.sum_by_name("bytes_scanned"),
        files=scan.sum_by_name("files_opened"),
    )
    span.end(_ns(max(ends)))


def _moments(scan: MetricsSet, name: str) -> list[dt.datetime]:
    values = (each.value for each in scan.metrics() if each.name == name)
    return [value for value in values if isinstance(value, dt.datetime)]


def _ns(moment: dt.datetime) -> int:
    return int(moment.timestamp() * 1_000_000_000)
