"""Keeping apart two uses of deltalake that would wait for each other for ever.

Its file handler holds Python's interpreter lock while it waits for an object store to
list files or to open one for writing. Its network threads, one for each core, want
that lock whenever they take a batch from a Python stream that a table is written from.
In one process, on several threads, both at once hang: all of Python, with no timeout.
"""

import contextlib
import threading
from collections.abc import Iterator


class Gate:
    """Lets any number of streams through together, or one file handler alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._streams = 0

    @contextlib.contextmanager
    def streaming(self) -> Iterator[None]:
        """Write a table from a Python stream in the block."""
        with self._changed:
            self._streams += 1
        try:
            yield
        finally:
            with self._changed:
                self._streams -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no stream is read, and let none begin in the block."""
        with self._changed:
            self._changed.wait_for(lambda: self._streams == 0)
            yield


PROCESS_GATE = Gate()
"""The interpreter lock is one a process, so is this."""
