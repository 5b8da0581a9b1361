"""What stands between a run and a sink: a bounded queue and a thread."""

import threading
from collections import deque

from dagster_dfsession.telemetry.correlation import LOG
from dagster_dfsession.telemetry.sink import DiagnosticsSink, Entry


class Outlet:
    """Hands entries to one sink, and never waits for it.

    Attributes:
        name: The sink, for messages.
        offered: Entries that the run recorded.
        dropped: Those of them that the sink did not take: the queue was full, the sink
            failed, or the run was over first. Known for good once `lost` has returned.
    """

    def __init__(self, name: str, sink: DiagnosticsSink, *, capacity: int) -> None:
        """Start no thread yet.

        Args:
            name: The sink, for messages.
            sink: What takes the entries.
            capacity: Entries that wait at most.
        """
        self.name = name
        self.offered = 0
        self.dropped = 0
        self._sink = sink
        self._capacity = capacity
        self._waiting: deque[Entry] = deque()
        self._busy = 0
        self._closing = False
        self._failure: Exception | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """How many entries the sink was not handed yet."""
        return len(self._waiting)

    def offer(self, entry: Entry) -> None:
        """Queue an entry, or drop it where there is no room."""
        with self._changed:
            self.offered += 1
            if self._closing or len(self._waiting) >= self._capacity:
                self.dropped += 1
                return
            self._waiting.append(entry)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name=f"dfsession-{self.name}", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def finish(self) -> None:
        """Let the sink finish: nothing more is taken."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def lost(self, left_s: float, wait_s: float) -> str | None:
        """Wait for the sink; say what it did not take, if anything.

        Args:
            left_s: Seconds to wait.
            wait_s: Seconds that the run waits in all, for the message.
        """
        if self._thread is not None:
            self._thread.join(left_s)
        with self._changed:
            late = self._thread is not None and self._thread.is_alive()
            left = len(self._waiting) + self._busy
            self.dropped += left
            self._waiting.clear()
            if not self.dropped and self._failure is None and not late:
                return None
            if late:
                why = f"it did not finish within {wait_s:g} s"
            elif self._failure is not None:
                why = f"{type(self._failure).__name__}: {self._failure}"
            elif left:
                why = "it ended its thread, as SystemExit does"
            else:
                why = f"more than {self._capacity} waited"
            # A sink may keep entries until it is closed, as that of the lake does.
            what = (
                f"did not take {self.dropped} of {self.offered} entries"
                if self.dropped
                else f"took {self.offered} entries, but may have lost them"
            )
            return f"the diagnostics sink {self.name!r} {what}: {why}"

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            try:
                self._sink.record(batch)
            except Exception as error:  # noqa: BLE001  # a sink never fails the run
                self._failed(error, len(batch))
        try:
            self._sink.close()
        except Exception as error:  # noqa: BLE001  # a sink never fails the run
            self._failed(error, 0)

    def _next(self) -> list[Entry] | None:
        """Wait for entries; None: there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            batch = [*self._waiting]
            self._waiting.clear()
            self._busy = len(batch)
            return batch or None

    def _failed(self, error: Exception, lost: int) -> None:
        with self._changed:
            first, self._failure = self._failure is None, error
            self.dropped += lost
        if first:
            LOG.debug("the diagnostics sink %r failed", self.name, exc_info=error)
