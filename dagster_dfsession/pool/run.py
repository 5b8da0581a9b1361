"""One session for one run in this process, lent to its steps one after the other."""

import contextlib
import logging
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dagster_dfsession.delta.events import events_table
from dagster_dfsession.errors import DfSessionError, PoolError
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.pool.holders import read_holders
from dagster_dfsession.pool.holding import Holding
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.pins import RunPins
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.pool.sinks import make_sinks
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.pool.views import RunViews
from dagster_dfsession.profile.runtime import SharedPool
from dagster_dfsession.query.event_loop import EventLoop
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.session import Session
from dagster_dfsession.session.system import Row
from dagster_dfsession.telemetry.payloads import SessionClosed, WorkFailed
from dagster_dfsession.telemetry.recorder import Recorder
from dagster_dfsession.telemetry.run_trace import RunTrace
from dagster_dfsession.telemetry.sinks import Writes
from dagster_dfsession.telemetry.spans import span

LOG = logging.getLogger("dagster_dfsession")
NO_TAGS: Mapping[str, str] = MappingProxyType({})


def alone() -> int:
    """Return how many steps run at once where nothing says that there are several."""
    return 1


class RunSession:
    """The session of a run: opened when first lent, closed when the run lets go.

    Attributes:
        run_id: Whose session it is.
        plan: What the session is built from.
        tables: The tables that the run's assets name.
        views: The views that they name.
        tags: What the run was tagged with last, so that it is done once.
        caches: Rows of `dfsession.caches`, each asked for when they are.
        recorder: Told what the run does.
        trace: The spans of the run in this process.
    """

    def __init__(
        self,
        plan: SessionPlan,
        run_id: str,
        *,
        tables: RunTables | None = None,
        tags: Mapping[str, str] = NO_TAGS,
        log: Writes | None = None,
        steps_at_once: Callable[[], int] = alone,
        opener: Callable[..., Session] = open_session,
    ) -> None:
        """Promise a session; nothing is built yet.

        Args:
            plan: What to build.
            run_id: Dagster's run id, or a made-up one outside a run.
            tables: Those of another session of the run; None: there is no other.
            tags: Those of the run; they may say which trace it is part of.
            log: That of the run: told what is cleaned up, and for the sink `dagster`.
                None: there is none.
            steps_at_once: Asked, when the session is opened, how many steps share the
                memory of a shared pool that does not say so itself.
            opener: Builds the session.

        Raises:
            InstallError: A sink that the plan names cannot be made.
        """
        self.plan = plan
        self.run_id = run_id
        self.tables = tables or RunTables(
            plan.catalog.default_schema, RunPins(run_id), plan.delta
        )
        self.views = RunViews(plan.profile)
        self.tags: dict[str, str] = {}
        self.caches: list[Callable[[], Row]] = [self.tables.cache_described]
        sinks = make_sinks(plan.reporting.sinks, self.tables, log)
        self.recorder = Recorder(run_id, sinks)
        self.trace = RunTrace(run_id, tags, plan.name)
        self._log: Writes = log or LOG
        self._steps_at_once = steps_at_once
        self._opener = opener
        self._session: Session | None = None
        self._holding: Holding | None = None
        self._event_loop: EventLoop | None = None
        self._lasting: dict[str, Any] = {}
        self._ends_with_run = contextlib.ExitStack()
        self._lock = threading.RLock()

    def lease(self, scope: Scope) -> Lease:
        """Lend the session to a step; what an earlier step registered goes.

        The executor of a process runs one step at a time, so whoever comes with
        another step or attempt proves that the one before has ended. Whoever comes
        without a step, such as a thread that the step started, gets what it has.

        Raises:
            SessionError: Whatever `open_session` raises, at the first call.
        """
        with self._lock:
            holding = self._holding
            if holding is None or not self._serves(holding.lease, scope):
                self._end_lease()
                self.trace.begin_step(scope.step, scope.attempt)
                with self.trace.current():
                    lease = Lease(self._opened(), scope)
                holding = self._holding = Holding(lease, listed=True)
            return holding.lease

    def lasting(
        self, name: str, make: Callable[[], contextlib.AbstractContextManager[Any]]
    ) -> Any:
        """Return what lasts as long as the run, made when it is first asked for.

        Args:
            name: What it is called in the run.
            make: What is entered then, and left when the run lets go.
        """
        with self._lock:
            if name not in self._lasting:
                self._lasting[name] = self._ends_with_run.enter_context(make())
            return self._lasting[name]

    def names_changed(self) -> None:
        """Tell other processes which names the step has registered now."""
        if self._holding is not None:
            self._holding.names_changed()

    @property
    def session(self) -> Session | None:
        """The session, if it was opened."""
        return self._session

    @property
    def event_loop(self) -> EventLoop:
        """What its results wait for the engine on, started when first asked for."""
        with self._lock:
            if self._event_loop is None:
                self._event_loop = EventLoop()
            return self._event_loop

    def close(self) -> None:
        """Remove what is registered, drop the context and its spill directory."""
        with self._lock:
            self._end_lease()
            self._event_loop = None
            self._lasting.clear()
            self._ends_with_run.close()
            if self._session is not None:
                with self.trace.current(), span("dfsession.teardown"):
                    said = self._closed(self._session)
                    self._session = None
                    self._log.info(said)
                    self.recorder.record(
                        SessionClosed(
                            profile=self.plan.name, totals=self.recorder.totals.now()
                        )
                    )
            self.trace.end()
        self.recorder.close()

    def _closed(self, session: Session) -> str:
        """Close the session; return what the run log is told of it."""
        spilled = None if session.closed else session.spill_dir
        session.close()
        said = f"dfsession: closed the session {self.plan.name!r}"
        if spilled is None:
            return said
        if Path(spilled).exists():
            return f"{said}; its spill directory {spilled} is left to the janitor"
        return f"{said} and removed its spill directory {spilled}"

    def _serves(self, lease: Lease, scope: Scope) -> bool:
        return not lease.session.closed and scope in (
            lease.scope,
            Scope(run_id=self.run_id),
        )

    def _opened(self) -> Session:
        if self._session is None or self._session.closed:
            label = re.sub(r"[^A-Za-z0-9-]", "", self.run_id)
            try:
                self._session = self._opener(
                    self.plan,
                    source=self.tables,
                    label=label,
                    recorder=self.recorder,
                    steps=self._steps(),
                    told={
                        "sessions": lambda: (each.described for each in read_holders()),
                        "tables": self.tables.described,
                        "caches": lambda: (each() for each in self.caches),
                    },
                )
            except DfSessionError as error:
                said = {"error": type(error).__name__, "message": str(error)}
                self.recorder.record(WorkFailed(doing="opening a session", **said))
                raise
            if self.plan.reporting.system_tables:
                self._session.catalog.system.add_table(
                    "events", lambda: events_table(self.tables.first_lake)
                )
        return self._session

    def _steps(self) -> int:
        pool = self.plan.memory_pool
        open_ = isinstance(pool, SharedPool) and pool.steps is None
        return self._steps_at_once() if open_ else 1

    def _end_lease(self) -> None:
        """End the lease; a session that SQL could have changed ends with it."""
        holding, self._holding = self._holding, None
        if holding is None:
            return
        lease, names = holding.lease, sorted(holding.lease.names)
        try:
            with self.trace.current():
                holding.end()
            if names:
                step = lease.scope.step
                said = f"dfsession: step {step!r} is over; removed {', '.join(names)}"
                self._log.info(said)
        except PoolError as error:
            LOG.warning("dropping the session of run %s: %s", self.run_id, error)
            lease.session.close()
        finally:
            self.trace.end_step()
            self.tables.close_unused()
        policy = self.plan.statements.policy
        if policy.allow_statements or policy.allow_ddl:
            lease.session.close()
