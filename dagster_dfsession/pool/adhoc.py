"""Sessions of no Dagster run: over a lake as it is, or over tables as they were."""

import contextlib
import functools
import itertools
import threading
import uuid
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from datafusion import DataFrame

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.tables_below import tables_below
from dagster_dfsession.errors import QueryError, UnsupportedTypeError
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.scope import Scope


class AdhocSessions:
    """One session over the lakes, and one for each set of versions asked for.

    All of them are opened when first lent.
    """

    def __init__(self, plan: SessionPlan, lakes: Sequence[Lake]) -> None:
        """Promise sessions; nothing is built yet."""
        self._plan = plan
        self._lakes = lakes
        self._numbers = itertools.count()
        self._pinned: dict[Hashable, RunSession] = {}
        self._current: RunSession | None = None
        self._lock = threading.RLock()

    @property
    def current(self) -> RunSession:
        """The session over the lakes, each table at its newest version of first use."""
        with self._lock:
            if self._current is None:
                self._current = self.alone()
                for lake in self._lakes:
                    self._current.tables.add_lake(lake)
                    self._current.tables.announce(functools.partial(tables_below, lake))
            return self._current

    def pinned(self, versions: Hashable) -> RunSession:
        """Return the session for tables at versions; whoever lends it adds them."""
        with self._lock:
            if versions not in self._pinned:
                self._pinned[versions] = self.alone()
            return self._pinned[versions]

    def alone(self) -> RunSession:
        """Return a session that nothing else shares, without tables; close it."""
        return RunSession(self._plan, f"adhoc{uuid.uuid4().hex}")

    def common_lease(self) -> Lease:
        """Lend the current session to whoever asks; it lasts until `close`."""
        return self.current.lease(Scope(run_id=self.current.run_id))

    def lease(self, run: RunSession) -> Lease:
        """Lend a session to one query, whose data has no names before it."""
        session = run.lease(Scope(run_id=run.run_id)).session
        step = f"query_{next(self._numbers)}"
        return Lease(session, Scope(run_id=run.run_id, step=step))

    @contextlib.contextmanager
    def composed(
        self,
        query: str | DataFrame,
        params: Mapping[str, Any] | None,
        tables: Mapping[str, Any],
    ) -> Iterator[tuple[DataFrame, Lease]]:
        """Return a query of the current session as a frame, and in which lease it is.

        Raises:
            QueryError: It does not plan, or a frame came with `params` or `tables`.
            UnsupportedTypeError: It is no query.
        """
        with self.lent(query, params, tables) as lease:
            if isinstance(query, str):
                yield lease.sql(query, params=params, tables=tables), lease
            else:
                yield query, lease

    @contextlib.contextmanager
    def lent(
        self,
        query: str | DataFrame,
        params: Mapping[str, Any] | None,
        tables: Mapping[str, Any],
    ) -> Iterator[Lease]:
        """Lend the current session to a query; data of its own goes with the lease.

        Raises:
            QueryError: A frame came with `params` or `tables`.
            UnsupportedTypeError: It is no query.
        """
        common = self.common_lease()
        if isinstance(query, str):
            # What an earlier table(name, version=) has opened, the common one knows.
            with (
                self.lease(self.current)
                if tables
                else contextlib.nullcontext(common) as lease
            ):
                yield lease
            return
        if not isinstance(query, DataFrame):
            raise UnsupportedTypeError(
                f"{type(query).__name__} is no query: give SQL, or a frame of this "
                "session"
            )
        if params or tables:
            raise QueryError(
                "params and tables were given with a frame, which has its values and "
                "tables already; they go with SQL"
            )
        yield common

    def close(self) -> None:
        """Close every session; used again, they start anew."""
        with self._lock:
            runs = [*self._pinned.values()]
            if self._current is not None:
                runs.append(self._current)
            self._current, self._pinned = None, {}
        for run in runs:
            run.close()
