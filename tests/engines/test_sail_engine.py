"""Sail behind the port: its server, its failures, its secrets."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyarrow import flight

from dagster_dfsession.delta.location import Location
from dagster_dfsession.engines.port import TableAt
from dagster_dfsession.engines.sail.engine import SailEngine
from dagster_dfsession.engines.sail.server import PrivateServer
from dagster_dfsession.errors import EngineVersionError, QueryError, SessionError
from dagster_dfsession.profile.sail import SailProfile

SECRET = "hunter2hunter2"  # noqa: S105  # so that it can be looked for
BUSY = """
SELECT count(*) AS n FROM t AS a CROSS JOIN t AS b CROSS JOIN t AS c
WHERE (a.n * b.n + c.n) % 7 = 1
"""
ROWS = 700
BUSY_S = 1.0
"""Seconds of a processor after which a server is past its start, and in the query."""


@pytest.fixture
def table(tmp_path: Path) -> TableAt:
    rows = pa.table({"n": pa.array(range(ROWS), pa.int64())})
    write_deltalake(str(tmp_path / "t"), rows)
    return TableAt(Location(str(tmp_path / "t")), 0)


@pytest.fixture
def sail() -> Iterator[SailEngine]:
    with SailEngine(SailProfile()) as engine:
        yield engine


def kill_when_busy(engine: SailEngine) -> threading.Thread:
    """Kill the server of an engine once it has computed for a while."""

    def watch() -> None:
        pause = threading.Event()
        while not engine.servers:
            pause.wait(0.01)
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(engine.servers[0].pid)
            while sum(process.cpu_times()[:2]) < BUSY_S:
                pause.wait(0.01)
            process.kill()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_a_query_whose_server_is_killed_begins_again_in_another(
    sail: SailEngine, table: TableAt
) -> None:
    sail.execute("SELECT 1", {}, {})
    (killed,) = sail.servers
    killer = kill_when_busy(sail)
    rows = sail.execute(BUSY, {"t": table}, {}).read_all()

    n = np.arange(ROWS)
    added = np.bincount((np.outer(n, n).ravel() % 7), minlength=7)
    first = np.bincount(n % 7, minlength=7)
    expected = sum(int(added[each] * first[(1 - each) % 7]) for each in range(7))
    assert rows.to_pylist() == [{"n": expected}]
    assert not killed.running
    killer.join(1)


def test_a_query_that_may_not_begin_again_fails_with_its_server(
    table: TableAt,
) -> None:
    with SailEngine(SailProfile(retries=0)) as engine:
        kill_when_busy(engine)
        with pytest.raises(
            SessionError, match=r"was lost .* Attempts in all: 1\. .*sail\.retries"
        ):
            engine.execute(BUSY, {"t": table}, {})


def test_nobody_at_an_address_is_said_with_the_address() -> None:
    engine = SailEngine(SailProfile(address="grpc://127.0.0.1:9", retries=0))

    with pytest.raises(SessionError, match=r"lost at grpc://127\.0\.0\.1:9, "):
        engine.execute("SELECT 1", {}, {})


class Telling(flight.FlightServerBase):
    """A server of Flight SQL that answers whatever it is asked with one text."""

    told = "0.7.2"

    def get_flight_info(
        self, _: object, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        if b"CommandStatementQuery" not in (descriptor.command or b""):
            raise NotImplementedError
        schema = pa.schema({"version": pa.string()})
        return flight.FlightInfo(schema, descriptor, [flight.FlightEndpoint(b"", [])])

    def do_get(self, *_: object) -> flight.RecordBatchStream:
        if not self.told:
            raise flight.FlightServerError("unknown function: version")
        return flight.RecordBatchStream(pa.table({"version": [self.told]}))


@pytest.fixture
def telling() -> Iterator[Telling]:
    with Telling("grpc://127.0.0.1:0") as server:
        yield server


def engine_at(server: Telling) -> SailEngine:
    profile = SailProfile(address=f"grpc://127.0.0.1:{server.port}", retries=0)
    return SailEngine(profile)


def test_a_server_at_an_address_says_itself_what_it_is(telling: Telling) -> None:
    telling.told = "0.7.9"

    assert engine_at(telling).name == "sail 0.7.9"


@pytest.mark.parametrize(
    ("told", "shown"),
    [("0.8.0", "0.8.0"), ("3.5.1", "3.5.1"), ("", "something without a version")],
)
def test_a_server_of_another_version_is_refused(
    told: str, shown: str, telling: Telling
) -> None:
    telling.told = told

    with pytest.raises(EngineVersionError, match=f"says that it is {shown}.*0.7 reads"):
        engine_at(telling).execute("SELECT 1", {}, {})


def test_a_server_that_is_another_by_now_is_refused(telling: Telling) -> None:
    engine = engine_at(telling)
    planned = engine.name
    telling.told = "0.7.9"

    with pytest.raises(EngineVersionError, match=r"was Sail 0\.7\.2 .* is 0\.7\.9 now"):
        engine.execute("SELECT 1", {}, {})
    assert planned == "sail 0.7.2"


def test_runs_that_share_a_server_do_not_share_names(
    table: TableAt, tmp_path: Path
) -> None:
    write_deltalake(str(tmp_path / "other"), pa.table({"n": [7]}))
    other = TableAt(Location(str(tmp_path / "other")), 0)
    with PrivateServer(SailProfile(), {}) as server:
        one, two = (SailEngine(SailProfile(address=server.address)) for _ in range(2))
        found: list[pa.Table] = []
        busy = threading.Thread(
            target=lambda: found.append(one.execute(BUSY, {"t": table}, {}).read_all())
        )
        busy.start()
        while busy.is_alive():
            least = two.execute("SELECT min(n) AS n FROM t", {"t": other}, {})
            assert least.read_all().to_pylist() == [{"n": 7}]
        busy.join()

    assert found[0]["n"][0].as_py() > 0


def test_values_reach_sail_as_they_are(sail: SailEngine) -> None:
    text = 'it\'s a \\ \n "quoted" ünïcödé $n -- /* ;'
    rows = sail.execute("SELECT $s AS s, $n AS n", {}, {"s": text, "n": -(2**63)})

    assert rows.read_all().to_pylist() == [{"s": text, "n": -(2**63)}]


def test_a_query_that_sail_refuses_is_not_begun_again(sail: SailEngine) -> None:
    with pytest.raises(QueryError, match=r"sail 0\.7\.2 refused the query: .*nowhere"):
        sail.execute("SELECT * FROM nowhere", {}, {})


def test_a_plan_is_refused_with_what_to_pass(sail: SailEngine) -> None:
    with pytest.raises(QueryError, match=r"reads SQL alone.* pass the text"):
        sail.execute(b"plan", {}, {})


def test_a_table_that_is_not_there_is_refused(sail: SailEngine, tmp_path: Path) -> None:
    absent = TableAt(Location(str(tmp_path / "absent")), 0)

    with pytest.raises(QueryError, match="refused the query"):
        sail.execute("SELECT * FROM t", {"t": absent}, {})


def test_credentials_are_in_the_environment_of_the_server_alone(
    sail: SailEngine,
) -> None:
    options = (("access_key_id", "key"), ("secret_access_key", SECRET))
    away = Location("s3://nowhere/t", (*options, ("endpoint", "http://127.0.0.1:9")))

    with pytest.raises((QueryError, SessionError)) as failed:
        sail.execute("SELECT * FROM t", {"t": TableAt(away, 0)}, {})

    assert SECRET not in str(failed.value)
    assert SECRET not in os.environ.values()
    for server in sail.servers:
        process = psutil.Process(server.pid)
        assert process.environ()["AWS_SECRET_ACCESS_KEY"] == SECRET
        assert SECRET not in " ".join(process.cmdline())


def test_tables_of_two_lakes_with_other_credentials_are_refused(
    sail: SailEngine,
) -> None:
    one, two = (
        TableAt(Location(f"s3://{name}/t", (("aws_region", name),)), 0)
        for name in ("one", "two")
    )

    with pytest.raises(QueryError, match="two values of the storage option"):
        sail.execute("SELECT * FROM a, b", {"a": one, "b": two}, {})


def test_another_lake_has_another_server_with_its_own_credentials(
    sail: SailEngine, table: TableAt
) -> None:
    sail.execute("SELECT n FROM t", {"t": table}, {}).read_all()
    options = (("access_key_id", "key"), ("endpoint", "http://127.0.0.1:9"))
    away = TableAt(Location("s3://nowhere/t", options), 0)
    with pytest.raises((QueryError, SessionError)):
        sail.execute("SELECT * FROM t", {"t": away}, {})
    sail.execute("SELECT n FROM t", {"t": table}, {}).read_all()

    started = [psutil.Process(each.pid).environ() for each in sail.servers]
    assert "AWS_ACCESS_KEY_ID" not in started[0]
    assert [each["AWS_ACCESS_KEY_ID"] for each in started[1:]] == ["key"]


def test_a_server_that_cannot_start_says_why() -> None:
    with pytest.raises(
        SessionError, match=r"did not start: .*RUNTIME\.STACK_SIZE.* SAIL_"
    ):
        PrivateServer(SailProfile(), {"SAIL_RUNTIME__STACK_SIZE": "none"})


def test_no_message_shows_a_secret_and_every_message_shows_the_rest(
    sail: SailEngine,
) -> None:
    options = (
        ("access_key_id", "key"),
        ("endpoint", "http://127.0.0.1:9"),
        ("region", "hidden"),
        ("secret_access_key", "nowhere"),
    )
    away = TableAt(Location("s3://nowhere/hidden", options), 0)

    with pytest.raises((QueryError, SessionError)) as failed:
        sail.execute("SELECT * FROM t", {"t": away}, {})
    with pytest.raises(SessionError) as unstarted:
        PrivateServer(SailProfile(), {"SAIL_RUNTIME__STACK_SIZE": SECRET})

    assert "nowhere" not in str(failed.value)
    assert "hidden" in str(failed.value)
    assert "STACK_SIZE" in str(unstarted.value)
    assert SECRET not in str(unstarted.value)


def test_a_closed_engine_leaves_no_process(table: TableAt) -> None:
    with SailEngine(SailProfile()) as engine:
        engine.execute("SELECT n FROM t", {"t": table}, {}).read_all()
        (server,) = engine.servers
        pid = server.pid

    assert not psutil.pid_exists(pid)
