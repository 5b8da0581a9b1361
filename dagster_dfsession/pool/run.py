"""One session for one run in this process, lent to its steps one after the other."""

import logging
import threading
from collections.abc import Callable

from dagster_dfsession.errors import PoolError
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.pins import RunPins
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.session import Session

LOG = logging.getLogger("dagster_dfsession")


class RunSession:
    """The session of a run: opened when first lent, closed when the run lets go.

    Attributes:
        run_id: Whose session it is.
        plan: What the session is built from.
        tables: The tables that the run's assets name.
        tags: What the run was tagged with last, so that it is done once.
    """

    def __init__(
        self,
        plan: SessionPlan,
        run_id: str,
        *,
        tables: RunTables | None = None,
        opener: Callable[..., Session] = open_session,
    ) -> None:
        """Promise a session; nothing is built yet.

        Args:
            plan: What to build.
            run_id: Dagster's run id, or a made-up one outside a run.
            tables: Those of another session of the run; None: there is no other.
            opener: Builds the session.
        """
        self.plan = plan
        self.run_id = run_id
        self.tables = tables or RunTables(
            plan.catalog.default_schema, RunPins(run_id), plan.delta
        )
        self.tags: dict[str, str] = {}
        self._opener = opener
        self._session: Session | None = None
        self._lease: Lease | None = None
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
            lease = self._lease
            if lease is None or not self._serves(lease, scope):
                self._end_lease()
                lease = self._lease = Lease(self._opened(), scope)
            return lease

    @property
    def session(self) -> Session | None:
        """The session, if it was opened."""
        return self._session

    def close(self) -> None:
        """Remove what is registered, drop the context and its spill directory."""
        with self._lock:
            self._end_lease()
            if self._session is not None:
                self._session.close()
                self._session = None

    def _serves(self, lease: Lease, scope: Scope) -> bool:
        return not lease.session.closed and scope in (
            lease.scope,
            Scope(run_id=self.run_id),
        )

    def _opened(self) -> Session:
        if self._session is None or self._session.closed:
            label = "".join(c for c in self.run_id if c.isalnum())[:8]
            self._session = self._opener(self.plan, source=self.tables, label=label)
        return self._session

    def _end_lease(self) -> None:
        """End the lease; a session that SQL could have changed ends with it."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        try:
            lease.release()
        except PoolError as error:
            LOG.warning("dropping the session of run %s: %s", self.run_id, error)
            lease.session.close()
        policy = self.plan.statements.policy
        if policy.allow_statements or policy.allow_ddl:
            lease.session.close()
