"""Workers that are processes of their own, of which one is lost in a query."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from dagster_dfsession.delta.location import Location
from dagster_dfsession.engines.port import TableAt
from dagster_dfsession.engines.sail.engine import SailEngine
from dagster_dfsession.errors import SessionError
from dagster_dfsession.profile.sail import SailProfile
from tests.engines.pods import Pods, running_pods

ROWS = 600
QUERY = """
SELECT a.n % 3 AS part, count(*) AS n FROM t AS a CROSS JOIN t AS b CROSS JOIN t AS c
WHERE (a.n * b.n + c.n) % 7 < 7 GROUP BY 1 ORDER BY 1
"""
BUSY_S = 0.7
"""Seconds of a processor after which a worker is past its start, and in the query."""


@pytest.fixture
def table(tmp_path: Path) -> TableAt:
    rows = pa.table({"n": pa.array(range(ROWS), pa.int64())})
    write_deltalake(str(tmp_path / "t"), rows)
    return TableAt(Location(str(tmp_path / "t")), 0)


@pytest.fixture
def pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pods]:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    with running_pods(tmp_path / "kubeconfig") as pods:
        yield pods


def cluster(retries: int) -> SailProfile:
    return SailProfile(
        mode="kubernetes-cluster", workers=2, parallelism=4, retries=retries
    )


@contextlib.contextmanager
def first_busy_worker_killed(pods: Pods) -> Iterator[list[int]]:
    """Kill the first worker that computes; hand out its process id once it is dead."""
    killed: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not killed and not over.wait(0.01):
            for worker in tuple(pods.workers):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if sum(psutil.Process(worker.pid).cpu_times()[:2]) > BUSY_S:
                        worker.kill()
                        killed.append(worker.pid)
                        break

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def test_a_query_that_loses_a_worker_of_several_begins_again_with_others(
    pods: Pods, table: TableAt
) -> None:
    with SailEngine(cluster(retries=2)) as sail:
        with first_busy_worker_killed(pods) as killed:
            found = sail.execute(QUERY, {"t": table}, {}).read_all()
        started = [each.pid for each in pods.workers]

    assert found.to_pydict() == {"part": [0, 1, 2], "n": [ROWS**3 // 3] * 3}
    assert len(killed) == 1
    assert killed[0] in started[:2]
    assert len(started) == 4  # two of each session


def test_a_lost_worker_fails_a_query_that_may_not_begin_again(
    pods: Pods, table: TableAt
) -> None:
    with (
        SailEngine(cluster(retries=0)) as sail,
        first_busy_worker_killed(pods) as killed,
        pytest.raises(SessionError, match=r"was lost .* Attempts in all: 1\."),
    ):
        sail.execute(QUERY, {"t": table}, {})

    assert len(killed) == 1
