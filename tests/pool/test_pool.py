"""Equal sessions for threads that come and go."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from datafusion.catalog import Table
from inline_snapshot import snapshot

from dagster_dfsession.errors import (
    PoolError,
    PoolExhaustedError,
    SettingError,
    SnapshotError,
)
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.pool.pool import SessionPool
from dagster_dfsession.profile.sql import SqlProfile
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.session import Session

Planned = Callable[..., SessionPlan]

ROWS = pa.table({"a": [1]})


class Opener:
    """Opens sessions and keeps them in mind; fails first where told to."""

    def __init__(self, *failures: Exception) -> None:
        self.sessions: list[Session] = []
        self.failures = list(failures)

    def __call__(self, plan: SessionPlan) -> Session:
        if self.failures:
            raise self.failures.pop()
        session = open_session(plan)
        self.sessions.append(session)
        return session


@pytest.mark.demand("D72")
def test_nothing_is_opened_before_it_is_needed(
    planned: Planned, spill_root: Path
) -> None:
    opener = Opener()
    with SessionPool(planned(), size=3, opener=opener) as pool:
        assert opener.sessions == []
        with pool.checkout() as one, pool.checkout() as other:
            assert one.session is not other.session
        with pool.checkout() as again:
            assert again.session in opener.sessions
        assert len(opener.sessions) == 2
        assert len(list(spill_root.iterdir())) == 2
    assert list(spill_root.iterdir()) == []


def test_threads_never_hold_more_sessions_than_there_may_be(
    planned: Planned, spill_root: Path
) -> None:
    opener, guard, held, most = Opener(), threading.Lock(), [0], [0]
    in_use: set[int] = set()

    def borrow(number: int) -> int:
        with pool.checkout(f"step {number}") as lease:
            with guard:
                held[0] += 1
                most[0] = max(most[0], held[0])
                assert id(lease.session) not in in_use
                in_use.add(id(lease.session))
            lease.register("t", pa.table({"a": [number]}))
            found: list[int] = lease.sql("SELECT a FROM t").to_pydict()["a"]
            with guard:
                held[0] -= 1
                in_use.remove(id(lease.session))
        return found[0]

    with SessionPool(planned(), size=2, opener=opener) as pool:
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(borrow, range(60))) == list(range(60))
        assert len(opener.sessions) <= 2
    assert most[0] <= 2
    assert list(spill_root.iterdir()) == []


def test_an_exhausted_pool_raises_at_once_where_told_to(planned: Planned) -> None:
    with (
        SessionPool(planned(), size=1, when_exhausted="raise") as pool,
        pool.checkout(),
        pytest.raises(PoolExhaustedError) as refused,
        pool.checkout(),
    ):
        pass

    assert str(refused.value) == snapshot(
        "all 1 sessions of 'test' are lent and none came back in 0 s; return one, or make the pool larger"
    )


def test_an_exhausted_pool_waits_so_long_and_no_longer(planned: Planned) -> None:
    with SessionPool(planned(), size=1, wait_s=0.05) as pool, pool.checkout():
        started = time.monotonic()
        short = pytest.raises(PoolExhaustedError, match=r"came back in 0\.05 s")
        with short, pool.checkout():
            pass
    assert time.monotonic() - started >= 0.05


def test_who_waits_gets_the_session_that_comes_back(planned: Planned) -> None:
    with SessionPool(planned(), size=1) as pool, ThreadPoolExecutor(1) as thread:

        def borrow() -> Session:
            with pool.checkout() as lease:
                return lease.session

        with pool.checkout() as lease:
            waiting = thread.submit(borrow)
            time.sleep(0.02)
            assert not waiting.done()
        assert waiting.result(10) is lease.session


def test_each_borrower_has_names_of_its_own(planned: Planned) -> None:
    with SessionPool(planned(), size=1) as pool:
        prefixes = set()
        for _ in range(3):
            with pool.checkout("load") as lease:
                prefixes.add(lease.prefix)

    assert prefixes == {f"run_pool_load_{number}__" for number in range(3)}


def dirty_by_name(session: Session) -> None:
    session.ctx.register_batch("left", ROWS.to_batches()[0])


def dirty_by_removal(session: Session) -> None:
    for schema, name in sorted(session.catalog.registered):
        if schema == "public":
            session.ctx.deregister_table(name)


def open_with_table(plan: SessionPlan) -> Session:
    session = open_session(plan)
    session.catalog.add(("given", "rows"), Table(ds.dataset(ROWS)))
    return session


def dirty_by_loss(session: Session) -> None:
    session.catalog.remove(("given", "rows"))


def dirty_by_setting(session: Session) -> None:
    session.sql("SET datafusion.execution.batch_size = 10")


def dirty_by_closing(session: Session) -> None:
    session.close()


@pytest.mark.demand("D25")
@pytest.mark.parametrize(
    ("soil", "reason"),
    [
        (dirty_by_name, "left behind: public.left"),
        (dirty_by_removal, "run_pool_pool_0__t of 'run_pool_pool_0__' had been removed by others"),
        (dirty_by_loss, "removed: given.rows"),
        (dirty_by_setting, "its settings or functions were changed"),
        (dirty_by_closing, "session 'test' is closed; open another one"),
    ],
)  # fmt: skip
def test_a_session_that_is_not_as_it_was_is_dropped_and_replaced(
    soil: Callable[[Session], None],
    reason: str,
    planned: Planned,
    caplog: pytest.LogCaptureFixture,
    spill_root: Path,
) -> None:
    plan = planned(sql=SqlProfile(policy="service"))
    with SessionPool(
        plan, size=1, when_exhausted="raise", opener=open_with_table
    ) as pool:
        with pool.checkout() as lease:
            lease.register("t", ROWS)
            soil(lease.session)
        with pool.checkout() as fresh:
            assert fresh.session is not lease.session
            assert lease.session.closed
            assert not fresh.session.closed
            assert len(list(spill_root.iterdir())) == 1

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == f"dropping a session of 'test': {reason}"


def test_a_session_that_is_as_it_was_is_lent_again(planned: Planned) -> None:
    plan = planned(sql=SqlProfile(policy="service"))
    with SessionPool(plan, size=1) as pool:
        with pool.checkout() as lease:
            lease.sql("SET datafusion.execution.batch_size = 10")
            lease.sql("SET datafusion.execution.batch_size = 8192")
        with pool.checkout() as again:
            assert again.session is lease.session


def test_a_borrower_that_fails_gives_its_session_back(planned: Planned) -> None:
    with SessionPool(planned(), size=1, when_exhausted="raise") as pool:
        with contextlib.suppress(LookupError), pool.checkout() as lease:
            lease.register("t", ROWS)
            raise LookupError
        with pool.checkout() as again:
            assert again.session is lease.session
            assert again.session.table_names() == []


def test_an_opener_that_fails_leaves_the_pool_usable(planned: Planned) -> None:
    opener = Opener(OSError("no space"))
    with SessionPool(planned(), size=1, when_exhausted="raise", opener=opener) as pool:
        with pytest.raises(OSError, match="no space"), pool.checkout():
            pass
        with pool.checkout() as lease:
            assert lease.sql("SELECT 1 AS one").to_pydict() == {"one": [1]}


def test_a_plan_that_cannot_be_opened_fails_for_every_borrower(
    planned: Planned, spill_root: Path
) -> None:
    plan = planned(settings={"datafusion.nothing": "1"})
    with SessionPool(plan, size=1, when_exhausted="raise") as pool:
        for _ in range(2):
            with pytest.raises(SettingError), pool.checkout():
                pass
    assert list(spill_root.iterdir()) == []


def test_a_session_that_cannot_be_looked_at_is_closed_and_not_lent(
    planned: Planned, spill_root: Path
) -> None:
    def open_blind(plan: SessionPlan) -> Session:
        session = open_session(plan)
        session.sql("SET datafusion.catalog.information_schema = false")
        sessions.append(session)
        return session

    sessions: list[Session] = []
    plan = planned(sql=SqlProfile(policy="service"))
    with SessionPool(plan, size=1, when_exhausted="raise", opener=open_blind) as pool:
        for _ in range(2):
            with pytest.raises(SnapshotError), pool.checkout():
                pass
    assert [session.closed for session in sessions] == [True, True]
    assert list(spill_root.iterdir()) == []


def test_closing_closes_what_is_idle_now_and_what_is_lent_later(
    planned: Planned,
) -> None:
    pool = SessionPool(planned(), size=2)
    with pool.checkout() as one:
        with pool.checkout() as other:
            pass
        pool.close()
        assert other.session.closed
        assert one.sql("SELECT 1 AS one").to_pydict() == {"one": [1]}
    assert one.session.closed
    pool.close()
    with (
        pytest.raises(PoolError, match="the pool of 'test' is closed"),
        pool.checkout(),
    ):
        pass


def test_closing_wakes_who_waits(planned: Planned) -> None:
    pool = SessionPool(planned(), size=1)

    def borrow() -> None:
        with pool.checkout():
            pass

    with ThreadPoolExecutor(1) as thread, pool.checkout():
        waiting = thread.submit(borrow)
        time.sleep(0.02)
        pool.close()
        with pytest.raises(PoolError, match="is closed"):
            waiting.result(10)


@pytest.mark.parametrize("size", [0, -1])
def test_a_pool_has_at_least_one_session(size: int, planned: Planned) -> None:
    with pytest.raises(PoolError, match=f"size is {size}; a pool needs at least one"):
        SessionPool(planned(), size=size)
