"""Entries of the plan cache in a directory, by the package `diskcache`: an extra."""

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import diskcache
from diskcache.core import MODE_BINARY, MODE_RAW

from dagster_dfsession.errors import SessionError
from dagster_dfsession.profile.cache import PlansOnDisk


class DiskStore:
    """Bytes by key, for all processes that name the directory; see `PlanStore`.

    Args:
        plans: Where, and how many bytes.

    Raises:
        SessionError: The directory cannot be used; so from every method.

    Examples:
        >>> import tempfile
        >>> store = DiskStore(PlansOnDisk(directory=tempfile.mkdtemp()))
        >>> store.put("a", b"1")
        >>> store.get("a"), store.get("b")
        (b'1', None)
    """

    def __init__(self, plans: PlansOnDisk) -> None:
        self._directory = plans.directory
        with self._used():
            self._cache = diskcache.Cache(
                plans.directory,
                disk=_Plain,
                size_limit=plans.size,
                # Reading then writes nothing: no process waits for another one.
                eviction_policy="least-recently-stored",
            )

    def get(self, key: str) -> bytes | None:
        """Return an entry; None: there is none."""
        with self._used():
            entry = self._cache.get(key)
        # What is no bytes is no entry of ours: as damaged as one can be.
        return entry if entry is None or isinstance(entry, bytes) else b""

    def put(self, key: str, entry: bytes) -> None:
        """Keep an entry, in the place of one of this key."""
        with self._used():
            self._cache.set(key, entry)

    def drop(self, key: str) -> None:
        """Forget an entry."""
        with self._used():
            self._cache.delete(key)

    @contextlib.contextmanager
    def _used(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, diskcache.Timeout) as error:
            raise SessionError(
                f"the directory {self._directory!r} of cache.plans cannot be used: "
                f"{type(error).__name__}: {error}. Name another one, or turn the cache "
                'off with {"kind": "none"}; one that holds this cache alone may be '
                "removed, and will be filled again."
            ) from error


class _Plain(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Bytes only: what somebody else put there is not unpickled, which runs code."""

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:  # noqa: FBT001  # as diskcache calls it
        if mode in (MODE_RAW, MODE_BINARY):
            return super().fetch(mode, filename, value, read)
        return b""
