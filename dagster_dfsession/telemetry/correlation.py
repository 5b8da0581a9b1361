"""Log records that name the trace they belong to."""

import logging

from opentelemetry.trace import (
    format_span_id,
    format_trace_id,
    get_current_span,
)


def current_ids() -> tuple[str, str]:
    """Return trace and span id of the current span in hex; empty where there is none.

    Examples:
        >>> current_ids()
        ('', '')
    """
    context = get_current_span().get_span_context()
    if not context.is_valid:
        return "", ""
    return format_trace_id(context.trace_id), format_span_id(context.span_id)


def add_ids(record: logging.LogRecord) -> bool:
    """Name trace and span, as OpenTelemetry's own log instrumentation calls them."""
    record.otelTraceID, record.otelSpanID = current_ids()
    return True


LOG = logging.getLogger("dagster_dfsession")
LOG.addFilter(add_ids)
