"""The port of diagnostics: what is recorded, and who may take it."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from dagster_dfsession.telemetry.payloads import Payload
from dagster_dfsession.telemetry.specs import SPEC_OF, Spec


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact or event, and where it belongs.

    Attributes:
        at: When it was recorded, in UTC.
        run_id: Whose it is.
        step: The step; empty: of the run as a whole.
        attempt: 0 for the first.
        pid: The process.
        trace_id: 32 hex digits; empty: nobody traces.
        span_id: 16 hex digits; empty: nobody traces.
    """

    at: dt.datetime
    run_id: str
    step: str
    attempt: int
    pid: int
    trace_id: str
    span_id: str
    payload: Payload

    @property
    def spec(self) -> Spec:
        """What its payload is."""
        return SPEC_OF[type(self.payload)]

    @property
    def flat(self) -> dict[str, Any]:
        """The entry as plain data, the payload as JSON: a row, or a log record."""
        spec = self.spec
        return {
            "at": self.at,
            "kind": spec.kind,
            "name": spec.name,
            "version": spec.version,
            "schema": spec.schema_fingerprint,
            "run_id": self.run_id,
            "step": self.step,
            "attempt": self.attempt,
            "pid": self.pid,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "payload": msgspec.json.encode(self.payload).decode(),
        }


@runtime_checkable
class DiagnosticsSink(Protocol):
    """Takes what a run records, on a thread of its own.

    It may fail and it may be slow: the run does not notice, what it did not take is
    counted as dropped.
    """

    def record(self, entries: Sequence[Entry]) -> None:
        """Take some entries, in the order in which they were recorded."""

    def close(self) -> None:
        """Finish: the run is over."""


class MemorySink:
    """Keeps all entries, for tests.

    Examples:
        >>> MemorySink().entries
        []
    """

    def __init__(self) -> None:
        """Start empty."""
        self.entries: list[Entry] = []
        self.closed = False

    def record(self, entries: Sequence[Entry]) -> None:
        """Keep the entries."""
        self.entries.extend(entries)

    def close(self) -> None:
        """Note that the run is over."""
        self.closed = True
