"""Sessions shared by key: counted, bounded, locked."""

import contextlib
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping

from dagster_dfsession.errors import PoolError, PoolExhaustedError
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.pool.run import NO_TAGS, RunSession, alone
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.session.system import Row
from dagster_dfsession.telemetry.measures import CACHE_HITS, CACHE_MISSES, count
from dagster_dfsession.telemetry.sinks import Writes


class SessionCache:
    """Run sessions by key; one that nobody holds any more is closed.

    Examples:
        >>> cache = SessionCache(limit=2)
        >>> cache.holders()
        {}
    """

    def __init__(self, *, limit: int = 64) -> None:
        """Start empty.

        Args:
            limit: Sessions held at once; one more is refused, never shared.
        """
        self._limit = limit
        self._held: dict[Hashable, tuple[RunSession, int]] = {}
        self._hits = self._misses = 0
        self._lock = threading.RLock()

    def acquire(self, key: Hashable, make: Callable[[], RunSession]) -> RunSession:
        """Return the session of a key, made by `make` if nobody holds one.

        Each call needs its own `release`.

        Raises:
            PoolExhaustedError: `limit` sessions are held.
        """
        with self._lock:
            held = self._held.get(key)
            if held is None:
                if len(self._held) >= self._limit:
                    raise PoolExhaustedError(
                        f"{self._limit} sessions are held in this process; close one, "
                        "or give the cache a higher limit"
                    )
                held = (make(), 0)
                held[0].caches.append(self.described)
                self._misses += 1
            else:
                self._hits += 1
            count(CACHE_MISSES if held[1] == 0 else CACHE_HITS, cache="sessions")
            session, holders = held
            self._held[key] = (session, holders + 1)
            return session

    def tables(self, run_id: str, plan: SessionPlan) -> RunTables | None:
        """Return the tables that a session of this run looks names up in, if any.

        A launch that overrides the profile of one resource gives the run a second
        session; the lakes and the pinned versions are those of the run.
        """
        schema = plan.catalog.default_schema
        for session in self.sessions().values():
            same_names = session.plan.catalog.default_schema == schema
            if session.run_id == run_id and same_names:
                return session.tables
        return None

    def release(self, key: Hashable) -> None:
        """Give one holding back; the last one closes the session.

        Raises:
            PoolError: Nobody holds a session of this key.
        """
        with self._lock:
            if key not in self._held:
                raise PoolError(f"no session is held for {key!r}")
            session, holders = self._held[key]
            if holders > 1:
                self._held[key] = (session, holders - 1)
                return
            del self._held[key]
        session.close()

    @contextlib.contextmanager
    def holding(
        self, key: Hashable, make: Callable[[], RunSession]
    ) -> Iterator[RunSession]:
        """Hold a session for the length of a block."""
        session = self.acquire(key, make)
        try:
            yield session
        finally:
            self.release(key)

    def described(self) -> Row:
        """Return the cache as a row of `dfsession.caches`."""
        with self._lock:
            return {
                "cache": "sessions",
                "of": "the process",
                "limit": str(self._limit),
                "entries": len(self._held),
                "hits": self._hits,
                "misses": self._misses,
            }

    @contextlib.contextmanager
    def of_run(
        self,
        plan: SessionPlan,
        run_id: str,
        *,
        tags: Mapping[str, str] = NO_TAGS,
        log: Writes | None = None,
        steps_at_once: Callable[[], int] = alone,
    ) -> Iterator[RunSession]:
        """Hold the session of a run and a plan for the length of a block.

        Args:
            plan: What to build.
            run_id: Dagster's run id, or a made-up one outside a run.
            tags: As for `RunSession`.
            log: As for `RunSession`.
            steps_at_once: As for `RunSession`.
        """

        def make() -> RunSession:
            tables = self.tables(run_id, plan)
            return RunSession(
                plan,
                run_id,
                tables=tables,
                tags=tags,
                log=log,
                steps_at_once=steps_at_once,
            )

        with self.holding((run_id, plan.fingerprint), make) as run:
            yield run

    def holders(self) -> Mapping[Hashable, int]:
        """Return key -> how often it is held now."""
        with self._lock:
            return {key: count for key, (_, count) in self._held.items()}

    def sessions(self) -> Mapping[Hashable, RunSession]:
        """Return key -> session, for those held now."""
        with self._lock:
            return {key: session for key, (session, _) in self._held.items()}


class ProcessSessions:
    """The cache that resources of this process share; a test may put its own here."""

    def __init__(self) -> None:
        """Start with an empty cache."""
        self.cache = SessionCache()

    @contextlib.contextmanager
    def replaced(self, cache: SessionCache) -> Iterator[SessionCache]:
        """Use another cache for the length of a block."""
        before, self.cache = self.cache, cache
        try:
            yield cache
        finally:
            self.cache = before


PROCESS_SESSIONS = ProcessSessions()
"""The only mutable state of this package that belongs to no object: it must outlive
the copies that Dagster makes of a resource for one run."""
