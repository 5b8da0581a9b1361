"""What a run tells of its work: kept for its tables, handed on to its sinks."""

import datetime as dt
import os
import time
from collections import deque
from collections.abc import Mapping

from dagster_dfsession.telemetry.correlation import LOG, current_ids
from dagster_dfsession.telemetry.measures import DROPPED, Totals
from dagster_dfsession.telemetry.outlet import Outlet
from dagster_dfsession.telemetry.payloads import Payload
from dagster_dfsession.telemetry.sink import DiagnosticsSink, Entry

KEPT = 256
CAPACITY = 1024
WAIT_S = 2.0


class Recorder:
    """Takes artifacts and events of one run; no other run's sinks see them.

    Recording costs a few microseconds. What is slow happens on the sinks' threads.

    Attributes:
        run_id: Whose work it is.
        totals: What was counted.

    Examples:
        >>> from dagster_dfsession.telemetry.payloads import WorkFailed
        >>> recorder = Recorder("adhoc")
        >>> recorder.record(WorkFailed(doing="x", error="DeltaError", message="no"))
        >>> [entry.spec.name for entry in recorder.entries]
        ['failure']
    """

    def __init__(
        self,
        run_id: str = "alone",
        sinks: Mapping[str, DiagnosticsSink] | None = None,
        *,
        capacity: int = CAPACITY,
        wait_s: float = WAIT_S,
    ) -> None:
        """Start no thread yet.

        Args:
            run_id: Whose work it is.
            sinks: Who takes the entries, by a name for messages.
            capacity: Entries that wait for a sink at most; more are dropped.
            wait_s: Seconds that `close` waits for all sinks together.
        """
        self.run_id = run_id
        self.totals = Totals()
        self._recent: deque[Entry] = deque(maxlen=KEPT)
        self._wait_s = wait_s
        self._outlets = tuple(
            Outlet(name, sink, capacity=capacity)
            for name, sink in (sinks or {}).items()
        )

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The last entries, the oldest first."""
        return tuple(self._recent)

    def record(self, payload: Payload, *, step: str = "", attempt: int = 0) -> None:
        """Record one artifact or event, after the work that it is about."""
        trace_id, span_id = current_ids()
        entry = Entry(
            at=dt.datetime.now(dt.timezone.utc),
            run_id=self.run_id,
            step=step,
            attempt=attempt,
            pid=os.getpid(),
            trace_id=trace_id,
            span_id=span_id,
            payload=payload,
        )
        self._recent.append(entry)
        for outlet in self._outlets:
            outlet.offer(entry)

    def waiting(self, sink: str) -> int:
        """Return how many entries a sink has not been handed yet."""
        return sum(each.waiting for each in self._outlets if each.name == sink)

    def close(self) -> None:
        """Let the sinks finish, and log what they did not take; once."""
        outlets, self._outlets = self._outlets, ()
        for outlet in outlets:
            outlet.finish()
        end = time.monotonic() + self._wait_s
        for outlet in outlets:
            report = outlet.lost(max(end - time.monotonic(), 0.0), self._wait_s)
            self.totals.add(DROPPED, outlet.dropped, sink=outlet.name)
            if report is not None:
                LOG.warning("run %s: %s", self.run_id, report)
