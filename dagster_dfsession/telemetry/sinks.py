"""Sinks that need nothing more: a log, and the events of OpenTelemetry."""

import logging
from collections.abc import Sequence
from typing import Protocol

import msgspec
from opentelemetry._logs import SeverityNumber, get_logger
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    set_span_in_context,
)

from dagster_dfsession.telemetry.sink import Entry


class Writes(Protocol):
    """A logger: Python's, or that of a Dagster step."""

    def info(self, msg: str, /) -> None:
        """Log a message."""


class LogSink:
    """Writes each entry as one line: its name, and all of it as JSON."""

    def __init__(self, log: Writes | None = None) -> None:
        """Write to `log`; None: to the logger `dagster_dfsession.diagnostics`."""
        self._log = log or logging.getLogger("dagster_dfsession.diagnostics")

    def record(self, entries: Sequence[Entry]) -> None:
        """Write the entries."""
        for entry in entries:
            flat = entry.flat | {"payload": entry.payload}
            self._log.info(
                f"dfsession {entry.spec.name} {msgspec.json.encode(flat).decode()}"
            )

    def close(self) -> None:
        """Do nothing: a log has no end."""


class OpenTelemetrySink:
    """Emits each entry as an event of OpenTelemetry, in the trace it belongs to."""

    def __init__(self) -> None:
        """Emit through the logger provider that the user has set up."""
        self._logger = get_logger("dagster_dfsession")

    def record(self, entries: Sequence[Entry]) -> None:
        """Emit the entries."""
        for entry in entries:
            flat = entry.flat
            body, at = msgspec.to_builtins(entry.payload), flat.pop("at")
            del flat["payload"], flat["trace_id"], flat["span_id"]
            self._logger.emit(
                timestamp=int(at.timestamp() * 1e9),
                context=_context(entry),
                severity_number=SeverityNumber.INFO,
                body=body,
                attributes={f"dfsession.{key}": value for key, value in flat.items()},
                event_name=f"dfsession.{entry.spec.name}",
            )

    def close(self) -> None:
        """Do nothing: the user's SDK sends what it has."""


def _context(entry: Entry) -> Context | None:
    if not entry.trace_id:
        return None
    made = SpanContext(
        int(entry.trace_id, 16),
        int(entry.span_id, 16),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return set_span_in_context(NonRecordingSpan(made), Context())
