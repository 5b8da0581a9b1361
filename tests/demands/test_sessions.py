"""Sessions alone, shared and pooled: one construction, one way to clean up."""

import contextlib
import itertools
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datafusion import SessionContext

from dagster_dfsession.errors import PoolExhaustedError
from dagster_dfsession.plan.build import SessionPlan, plan_session
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.pool.cache import SessionCache
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.pool import SessionPool
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.profile.diagnostics import DiagnosticsProfile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.session import Session
from dagster_dfsession.telemetry.recorder import Recorder
from dagster_dfsession.telemetry.sink import MemorySink

PLAN = plan_session(SessionProfile(name="test"))
ROWS = pa.table({"a": [1]})


@pytest.fixture
def session() -> Iterator[Session]:
    with open_session(PLAN) as session:
        yield session


@contextlib.contextmanager
def all_ways(plan: SessionPlan) -> Iterator[list[Session]]:
    """Have a session alone, one of a run, and two of a pool."""
    with contextlib.ExitStack() as stack:
        alone = stack.enter_context(open_session(plan))
        run = stack.enter_context(SessionCache().of_run(plan, "1a2b3c4d"))
        shared = run.lease(Scope(run_id="1a2b3c4d", step="step")).session
        pool = stack.enter_context(SessionPool(plan, size=2))
        pooled = [stack.enter_context(pool.checkout()).session for _ in range(2)]
        yield [alone, shared, *pooled]


@pytest.mark.demand("D4")
@pytest.mark.demand("D30")
@pytest.mark.demand("D66")
def test_alone_shared_and_pooled_sessions_are_equal() -> None:
    with all_ways(PLAN) as sessions:
        phases = [
            [(each.phase, each.installed) for each in session.report.phases]
            for session in sessions
        ]
        hashes = {session.snapshot().session_hash for session in sessions}

    assert len({*map(id, sessions)}) == len(sessions)
    assert phases == [phases[0]] * len(sessions)
    assert [phase for phase, _ in phases[0]] == list(Phase)
    assert len(hashes) == 1


@pytest.mark.demand("D62")
@pytest.mark.demand("D74")
def test_a_pool_opens_what_it_is_told_to_and_as_often_as_it_needs() -> None:
    opened = []

    def opener(plan: SessionPlan) -> Session:
        opened.append(plan.name)
        return open_session(plan)

    with SessionPool(PLAN, size=1, opener=opener) as pool:
        for _ in range(3):
            with pool.checkout() as lease:
                assert lease.sql("SELECT 1 AS one").to_pydict() == {"one": [1]}

    assert opened == ["test"]


@pytest.mark.demand("D66")
def test_an_exhausted_pool_makes_no_session_for_the_occasion() -> None:
    opened: list[Session] = []

    def opener(plan: SessionPlan) -> Session:
        opened.append(open_session(plan))
        return opened[-1]

    with (
        SessionPool(PLAN, size=1, when_exhausted="raise", opener=opener) as pool,
        pool.checkout(),
        pytest.raises(PoolExhaustedError),
        pool.checkout(),
    ):
        pass

    assert len(opened) == 1


@pytest.mark.demand("D47")
def test_a_session_works_with_what_it_was_handed() -> None:
    recorder = Recorder("1a2b3c4d")
    with open_session(PLAN, recorder=recorder) as session:
        assert session.recorder is recorder
        assert [each.spec.name for each in recorder.entries] == ["session"]


@pytest.mark.demand("D23")
def test_cleaning_up_runs_no_sql(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("cleaning up asked the engine")

    with SessionPool(PLAN, size=1) as pool:
        with pool.checkout() as lease, caplog.at_level(logging.WARNING):
            lease.register("flights", ROWS)
            monkeypatch.setattr(SessionContext, "sql", refused)
            monkeypatch.setattr(SessionContext, "sql_with_options", refused)
        monkeypatch.undo()
        with pool.checkout() as again:
            assert again.session is lease.session
            assert again.session.catalog.registered == frozenset()

    assert caplog.messages == []


@pytest.mark.demand("D28")
def test_the_prefix_is_made_once_whatever_makes_it(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count()
    monkeypatch.setattr(Scope, "prefix", property(lambda _: f"at_{next(clock)}__"))
    lease = Lease(session, Scope(run_id="1a2b3c4d"))
    names = [lease.register(name, ROWS) for name in ("one", "other")]
    lease.release()

    assert names == ["at_0__one", "at_0__other"]
    assert session.catalog.registered == frozenset()


@pytest.mark.demand("D33")
def test_a_lease_leaves_what_others_registered(session: Session) -> None:
    session.ctx.register_record_batches("run_1a2b3c4d_adhoc_0__kept", [ROWS.to_batches()])  # fmt: skip
    with Lease(session, Scope(run_id="1a2b3c4d")) as lease:
        lease.register("gone", ROWS)

    assert session.catalog.registered == {("public", "run_1a2b3c4d_adhoc_0__kept")}


@pytest.mark.demand("D74")
def test_sessions_in_threads_do_not_meet() -> None:
    def count(number: int) -> list[int]:
        with open_session(PLAN) as session, Lease(session, Scope(run_id="x")) as lease:
            lease.register("flights", pa.table({"a": [number]}))
            session.ctx.sql(f"SET datafusion.execution.batch_size = {number}")
            settings = session.snapshot().settings
            assert settings["datafusion.execution.batch_size"] == str(number)
            found: list[int] = lease.sql("SELECT a FROM flights").to_pydict()["a"]
            return found

    numbers = range(1, 5)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(count, numbers)) == [[number] for number in numbers]


@pytest.mark.demand("D71")
def test_the_hashes_of_a_session_are_all_different_things(session: Session) -> None:
    found = session.snapshot()
    hashes = [
        found.profile_hash,
        found.settings_hash,
        found.result_settings_hash,
        found.udf_snapshot_hash,
        found.session_hash,
        session.plan.fingerprint,
    ]

    assert len({*hashes}) == len(hashes)
    assert session.plan.profile_hash == found.profile_hash


@pytest.mark.demand("D77")
def test_asking_a_session_changes_nothing(session: Session) -> None:
    def state() -> tuple[object, ...]:
        catalog, names = session.catalog, session.ctx.udfs()
        return catalog.registered, frozenset(names), session.recorder.entries

    before, first = state(), session.snapshot()
    for _ in range(2):
        session.telemetry()
        assert session.snapshot() == first

    assert state() == before


@pytest.mark.demand("D80")
def test_a_sink_makes_no_other_session_and_asks_no_more(tmp_path: Path) -> None:
    told = SessionProfile(name="test", diagnostics=DiagnosticsProfile(sinks=("log",)))
    for profile in (SessionProfile(name="test"), told):
        cache, plan = SessionCache(), plan_session(profile)
        with cache.of_run(plan, "1a2b3c4d") as one, cache.of_run(plan, "1a2b3c4d") as other:  # fmt: skip
            assert one is other
        assert cache.described()["hits"] == 1

    silent, heard = Recorder(), Recorder(sinks={"memory": MemorySink()})
    with open_session(PLAN, recorder=silent) as a, open_session(PLAN, recorder=heard) as b:  # fmt: skip
        assert a.snapshot().session_hash == b.snapshot().session_hash
        assert len(silent.entries) == len(heard.entries)
    heard.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.demand("D72")
def test_a_run_that_needs_no_session_opens_none() -> None:
    def never(*_: Any, **__: Any) -> Session:
        raise AssertionError("a session was opened")

    run = RunSession(PLAN, "1a2b3c4d", opener=never)
    run.close()

    assert run.session is None
