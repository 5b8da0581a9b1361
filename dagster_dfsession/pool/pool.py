"""A fixed number of equal sessions for threads that come and go."""

import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from typing_extensions import Self

from dagster_dfsession.errors import (
    DfSessionError,
    PoolError,
    PoolExhaustedError,
    listing,
)
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.pool.holding import Holding
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.session.catalog import TableName
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.session import Session
from dagster_dfsession.telemetry.measures import POOL_WAIT, count

LOG = logging.getLogger("dagster_dfsession")


class SessionPool:
    """At most `size` sessions of one plan, each opened when it is first needed.

    Examples:
        >>> from dagster_dfsession import SessionProfile, plan_session
        >>> with SessionPool(plan_session(SessionProfile(name="dev")), size=1) as pool:
        ...     with pool.checkout() as lease:
        ...         lease.sql("SELECT 1 AS one").to_pydict()
        {'one': [1]}
    """

    def __init__(
        self,
        plan: SessionPlan,
        *,
        size: int,
        when_exhausted: Literal["wait", "raise"] = "wait",
        wait_s: float = 60.0,
        opener: Callable[[SessionPlan], Session] = open_session,
    ) -> None:
        """Promise sessions; nothing is built yet.

        Args:
            plan: What every session is built from.
            size: Sessions at most, lent or idle.
            when_exhausted: `wait` up to `wait_s` seconds, or `raise` at once.
            wait_s: Seconds to wait for a session to come back.
            opener: Builds a session; for tests.
        """
        if size < 1:
            raise PoolError(f"size is {size}; a pool needs at least one session")
        self._plan = plan
        self._size = size
        self._wait_s = wait_s if when_exhausted == "wait" else 0.0
        self._opener = opener
        self._idle: list[tuple[Session, _State]] = []
        self._lent = 0
        self._closed = False
        self._numbers = itertools.count()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def checkout(self, step: str = "pool") -> Iterator[Lease]:
        """Borrow a session for the length of a block.

        Raises:
            PoolExhaustedError: All are lent, and none came back in time.
            SessionError: Whatever `open_session` raises.
        """
        session, before = self._take()
        scope = Scope(run_id="pool", step=step, attempt=next(self._numbers))
        holding = Holding(Lease(session, scope), listed=False)
        try:
            yield holding.lease
        finally:
            self._give_back(holding, before)

    def close(self) -> None:
        """Close the idle sessions, and each lent one when it comes back."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
        for session, _ in idle:
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self) -> tuple[Session, "_State"]:
        asked = time.perf_counter()
        with self._changed:
            free = self._changed.wait_for(self._has_room, timeout=self._wait_s)
            count(POOL_WAIT, time.perf_counter() - asked)
            if self._closed:
                raise PoolError(f"the pool of {self._plan.name!r} is closed")
            if not free:
                raise PoolExhaustedError(
                    f"all {self._size} sessions of {self._plan.name!r} are lent and "
                    f"none came back in {self._wait_s:g} s; return one, or make the "
                    "pool larger"
                )
            self._lent += 1
            if self._idle:
                return self._idle.pop()
        with contextlib.ExitStack() as undo:
            undo.callback(self._one_less)
            session = undo.enter_context(self._opener(self._plan))
            state = _state(session)
            undo.pop_all()
            return session, state

    def _has_room(self) -> bool:
        return self._closed or bool(self._idle) or self._lent < self._size

    def _give_back(self, holding: Holding, before: "_State") -> None:
        session = holding.lease.session
        try:
            reason = _dirt(holding, before)
            if reason is not None:
                LOG.warning("dropping a session of %r: %s", self._plan.name, reason)
            with self._changed:
                keep = reason is None and not self._closed
                if keep:
                    self._idle.append((session, before))
            if not keep:
                session.close()
        finally:
            self._one_less()

    def _one_less(self) -> None:
        with self._changed:
            self._lent -= 1
            self._changed.notify()


class _State(NamedTuple):
    """What of a session every borrower finds alike.

    Attributes:
        session_hash: None: no statement can change it.
        functions: Names of all functions.
    """

    registered: frozenset[TableName]
    session_hash: str | None
    functions: frozenset[str]


def _state(session: Session) -> _State:
    changeable = session.plan.statements.policy.allow_statements
    return _State(
        registered=session.catalog.registered,
        session_hash=session.snapshot().session_hash if changeable else None,
        functions=frozenset(
            [*session.ctx.udfs(), *session.ctx.udafs(), *session.ctx.udwfs()]
        ),
    )


def _dirt(holding: Holding, before: _State) -> str | None:
    """End the lease; return why its session cannot be lent again, or None."""
    try:
        holding.end()
        now = _state(holding.lease.session)
    except DfSessionError as error:
        return str(error)
    left, gone = now.registered - before.registered, before.registered - now.registered
    if left or gone:
        what = "left behind" if left else "removed"
        return f"{what}: {listing('.'.join(name) for name in left or gone)}"
    if now[1:] != before[1:]:
        return "its settings or functions were changed"
    return None
