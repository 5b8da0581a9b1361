"""Spans, through OpenTelemetry's API alone: without an SDK they cost nearly nothing."""

from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.trace import Span


def span(name: str, **attributes: str) -> AbstractContextManager[Span]:
    """Return a context manager for a span; an exception in it is recorded.

    Examples:
        >>> with span("dfsession.open", profile="dev") as current:
        ...     current.is_recording()
        False
    """
    tracer = trace.get_tracer("dagster_dfsession")
    named = {f"dfsession.{key}": value for key, value in attributes.items()}
    return tracer.start_as_current_span(name, attributes=named)
