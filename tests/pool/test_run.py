"""The session of a run, and who holds it."""

import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from inline_snapshot import snapshot

from dagster_dfsession.errors import PoolError, PoolExhaustedError, TableNotFoundError
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.pool.cache import PROCESS_SESSIONS, SessionCache
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.profile.catalog import CatalogProfile

Planned = Callable[..., SessionPlan]

RUN = "1a2b3c4d-5e6f"
ONE, OTHER = (Scope(run_id=RUN, step=step) for step in ("one", "other"))
ROWS = pa.table({"a": [1]})


@pytest.fixture
def run(planned: Planned) -> RunSession:
    return RunSession(planned(), RUN)


@pytest.mark.demand("D72")
def test_a_run_opens_its_session_when_it_is_first_lent(
    run: RunSession, spill_root: Path
) -> None:
    assert run.session is None
    assert list(spill_root.iterdir()) == []

    lease = run.lease(ONE)

    assert run.session is lease.session
    (directory,) = spill_root.iterdir()
    assert directory.name.startswith("dfsession_1a2b3c4d-5e6f_")
    run.close()
    assert list(spill_root.iterdir()) == []


def test_a_step_has_one_lease_and_the_next_step_ends_it(run: RunSession) -> None:
    lease = run.lease(ONE)
    lease.register("t", ROWS)
    assert run.lease(ONE) is lease

    later = run.lease(OTHER)

    assert later.session is lease.session
    with pytest.raises(PoolError, match="has ended"):
        lease.sql("SELECT a FROM t")
    with pytest.raises(TableNotFoundError):
        later.sql("SELECT a FROM t")
    assert later.session.table_names() == []
    run.close()


class Told:
    """A run log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, msg: str, /) -> None:
        self.lines.append(msg)


def test_the_run_log_is_told_what_is_cleaned_up(
    planned: Planned, spill_root: Path
) -> None:
    log = Told()
    run = RunSession(planned(), RUN, log=log)
    run.lease(ONE).register("t", ROWS)
    (directory,) = spill_root.iterdir()
    run.lease(OTHER)
    run.close()

    name = run.plan.name
    assert log.lines == [
        "dfsession: step 'one' is over; removed run_1a2b3c4d_one_0__t",
        f"dfsession: closed the session {name!r} and removed its spill directory {directory}",
    ]


def test_a_run_that_opened_no_session_has_nothing_to_tell(planned: Planned) -> None:
    log = Told()
    RunSession(planned(), RUN, log=log).close()

    assert log.lines == []


def test_a_retry_ends_the_attempt_before(run: RunSession) -> None:
    lease = run.lease(ONE)
    lease.register("t", ROWS)
    retry = run.lease(Scope(run_id=RUN, step="one", attempt=1))

    assert retry is not lease
    assert retry.session.table_names() == []
    run.close()


def test_who_comes_without_a_step_gets_the_lease_there_is(run: RunSession) -> None:
    adhoc = run.lease(Scope(run_id=RUN))
    lease = run.lease(ONE)

    assert lease is not adhoc
    assert run.lease(Scope(run_id=RUN)) is lease
    run.close()


def test_a_session_that_is_not_as_it_should_be_is_replaced(
    run: RunSession, caplog: pytest.LogCaptureFixture, spill_root: Path
) -> None:
    lease = run.lease(ONE)
    name = lease.register("t", ROWS)
    lease.session.ctx.deregister_table(name)

    later = run.lease(OTHER)

    assert lease.session.closed
    assert later.session is not lease.session
    assert later.sql("SELECT 1 AS one").to_pydict() == {"one": [1]}
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == snapshot(
        "dropping the session of run 1a2b3c4d-5e6f: run_1a2b3c4d_one_0__t of 'run_1a2b3c4d_one_0__' had been removed by others"
    )
    assert len(list(spill_root.iterdir())) == 1
    run.close()
    assert list(spill_root.iterdir()) == []


def test_closing_a_run_whose_names_are_gone_closes_it_all_the_same(
    run: RunSession, caplog: pytest.LogCaptureFixture, spill_root: Path
) -> None:
    lease = run.lease(ONE)
    lease.session.ctx.deregister_table(lease.register("t", ROWS))

    run.close()
    run.close()

    assert len(caplog.records) == 1
    assert list(spill_root.iterdir()) == []


def test_a_session_that_a_step_closed_is_replaced(
    run: RunSession, spill_root: Path
) -> None:
    lease = run.lease(ONE)
    lease.register("t", ROWS)
    lease.session.close()

    again = run.lease(ONE)

    assert again is not lease
    assert again.sql("SELECT 1 AS one").to_pydict() == {"one": [1]}
    assert len(list(spill_root.iterdir())) == 1
    run.close()


def test_two_sessions_of_a_run_look_names_up_in_one_place(planned: Planned) -> None:
    cache = SessionCache()
    plan, other = planned(), planned(catalog=CatalogProfile(default_schema="main"))
    with cache.holding("a", lambda: RunSession(plan, RUN)) as run:
        assert cache.tables(RUN, plan) is run.tables
        assert cache.tables(RUN, other) is None
        assert cache.tables("another run", plan) is None
        shared = RunSession(plan, RUN, tables=cache.tables(RUN, plan))
        assert shared.tables is run.tables


def test_a_session_is_held_until_the_last_holder_lets_go(
    planned: Planned, spill_root: Path
) -> None:
    cache = SessionCache()

    def make() -> RunSession:
        return RunSession(planned(), RUN)

    with cache.holding("key", make) as one:
        one.lease(ONE)
        with cache.holding("key", make) as same:
            assert same is one
            assert cache.holders() == {"key": 2}
        assert cache.holders() == {"key": 1}
        assert cache.sessions() == {"key": one}
        assert one.session is not None
        assert len(list(spill_root.iterdir())) == 1
    assert cache.holders() == {}
    assert one.session is None
    assert list(spill_root.iterdir()) == []


def test_a_block_that_fails_lets_go(planned: Planned) -> None:
    cache = SessionCache()

    with pytest.raises(LookupError), cache.holding("key", lambda: RunSession(planned(), RUN)):  # fmt: skip
        raise LookupError
    assert cache.holders() == {}


def test_what_nobody_holds_cannot_be_released() -> None:
    with pytest.raises(PoolError, match="no session is held for 'key'"):
        SessionCache().release("key")


def test_a_cache_holds_so_many_and_no_more(planned: Planned) -> None:
    cache = SessionCache(limit=1)

    def make() -> RunSession:
        return RunSession(planned(), RUN)

    with cache.holding("one", make):
        with cache.holding("one", make):
            pass
        with pytest.raises(PoolExhaustedError) as refused:
            cache.acquire("other", make)
    assert str(refused.value) == snapshot(
        "1 sessions are held in this process; close one, or give the cache a higher limit"
    )
    with cache.holding("other", make):
        assert set(cache.holders()) == {"other"}


def test_what_cannot_be_made_is_not_held(planned: Planned) -> None:
    cache = SessionCache(limit=1)

    def fails() -> RunSession:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        cache.acquire("key", fails)
    assert cache.holders() == {}
    with cache.holding("key", lambda: RunSession(planned(), RUN)):
        pass


@pytest.mark.demand("D74")
def test_threads_make_one_session_for_one_key(planned: Planned) -> None:
    cache, made, start = SessionCache(), [], threading.Barrier(8)
    plan = planned()

    def make() -> RunSession:
        made.append(RunSession(plan, RUN))
        return made[-1]

    def hold(_: int) -> None:
        start.wait()
        with cache.holding("key", make) as run:
            start.wait()
            assert run is made[0]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(hold, range(8)))

    assert len(made) == 1
    assert cache.holders() == {}


@pytest.mark.demand("D21")
@pytest.mark.demand("D43")
def test_the_cache_of_the_process_can_be_replaced_for_a_while() -> None:
    before = PROCESS_SESSIONS.cache
    own = SessionCache()

    with contextlib.suppress(LookupError), PROCESS_SESSIONS.replaced(own) as used:
        assert used is own is PROCESS_SESSIONS.cache
        raise LookupError

    assert PROCESS_SESSIONS.cache is before
