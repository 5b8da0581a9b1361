"""What a step registers is its own, and goes when it ends."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import write_deltalake
from inline_snapshot import snapshot

from dagster_dfsession.delta.location import Lake, open_table
from dagster_dfsession.errors import (
    ColumnNotFoundError,
    PoolError,
    QueryError,
    TableNotFoundError,
    UnsupportedTypeError,
)
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.pool.inputs import Narrowing
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.pool.tables import OpenedTable, RunTables
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.session import Session

Planned = Callable[..., SessionPlan]

SCOPE = Scope(run_id="1a2b3c4d-5e6f", step="busy_routes")
ROWS = pa.table({"a": [1, 2]})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def tables(lake: Lake) -> RunTables:
    tables = RunTables("public")
    tables.add_lake(lake)
    return tables


@pytest.fixture
def session(planned: Planned, tables: RunTables) -> Iterator[Session]:
    with open_session(planned(), source=tables) as session:
        yield session


@pytest.fixture
def lease(session: Session) -> Lease:
    return Lease(session, SCOPE)


def write(lake: Lake, *key: str, rows: pa.Table = ROWS) -> OpenedTable:
    location = lake.table(key)
    write_deltalake(location.uri, rows)
    delta = open_table(location)
    assert delta is not None
    *schema, table = key
    return OpenedTable(("/".join(schema) or "public", table), key, location, delta)


def total(lease: Lease, query: str = "SELECT sum(a) AS a FROM t", **tables: Any) -> int:
    (row,) = lease.sql(query, tables=tables).to_pylist()
    found: int = row["a"]
    return found


def test_the_full_name_says_run_step_and_attempt(lease: Lease) -> None:
    assert lease.prefix == "run_1a2b3c4d_busy_routes_0__"
    assert lease.register("t", ROWS) == "run_1a2b3c4d_busy_routes_0__t"
    assert dict(lease.names) == {"run_1a2b3c4d_busy_routes_0__t": "t"}
    assert repr(lease).startswith("<Lease 'run_1a2b3c4d_busy_routes_0__' of <Session")


@pytest.mark.demand("D28")
def test_another_attempt_registers_under_other_names(session: Session) -> None:
    prefixes = {
        Lease(session, Scope(run_id=run, step=step, attempt=attempt)).prefix
        for run in ("1a2b3c4d", "ffffffff")
        for step in ("one", "other")
        for attempt in (0, 1)
    }

    assert len(prefixes) == 8


@pytest.mark.demand("D33")
def test_ending_a_lease_removes_exactly_its_names(session: Session) -> None:
    before = session.catalog.registered
    one, other = (Lease(session, Scope(run_id="r", step=step)) for step in ("a", "b"))
    one.register("t", ROWS)
    kept = other.register("t", pa.table({"a": [10]}))

    one.release()
    one.release()

    assert session.catalog.registered - before == {("public", kept)}
    assert total(other) == 10
    other.release()
    assert session.catalog.registered == before


def test_a_retry_finds_nothing_of_the_attempt_before(session: Session) -> None:
    first = Lease(session, SCOPE)
    first.register("t", ROWS)
    first.release()
    retry = Lease(session, Scope(run_id=SCOPE.run_id, step=SCOPE.step, attempt=1))

    with pytest.raises(TableNotFoundError):
        retry.sql("SELECT * FROM t")
    assert retry.register("t", ROWS).endswith("_1__t")


def test_a_table_passed_to_a_query_is_there_for_that_query_only(lease: Lease) -> None:
    before = lease.session.catalog.registered
    frame = lease.sql("SELECT a FROM t", tables={"t": ROWS})

    assert lease.session.catalog.registered == before
    with pytest.raises(TableNotFoundError):
        lease.sql("SELECT a FROM t")
    with pytest.raises(TableNotFoundError):
        lease.session.sql(f"SELECT a FROM {lease.prefix}t")
    assert frame.to_pydict() == {"a": [1, 2]}


def test_a_query_that_fails_leaves_no_table_behind(lease: Lease) -> None:
    before = lease.session.catalog.registered

    with pytest.raises(ColumnNotFoundError):
        lease.sql("SELECT b FROM t", tables={"t": ROWS})
    with pytest.raises(UnsupportedTypeError):
        lease.sql("SELECT a FROM t", tables={"t": ROWS, "u": 1})
    assert lease.session.catalog.registered == before


def test_other_data_under_a_name_does_not_change_frames_composed_before(
    lease: Lease,
) -> None:
    lease.register("t", ROWS)
    first = lease.sql("SELECT sum(a) AS a FROM t")
    lease.register("t", pa.table({"a": [10]}))
    second = lease.sql("SELECT sum(a) AS a FROM t")
    third = lease.sql("SELECT sum(a) AS a FROM t", tables={"t": pa.table({"a": [20]})})

    assert [f.to_pydict()["a"] for f in (first, second, third)] == [[3], [10], [20]]
    names = list(lease.names)
    assert list(lease.names.values()) == ["t", "t__2", "t__3"]
    assert len({lease.digests[name] for name in names}) == 3
    for frame, name in zip((first, second, third), names, strict=True):
        scans = frame.optimized_logical_plan().display_indent()
        assert f"TableScan: {name} " in scans


def test_a_number_that_is_a_name_already_is_not_given_again(lease: Lease) -> None:
    for name in ("t__2", "t", "t"):
        lease.register(name, ROWS)

    assert list(lease.names.values()) == ["t__2", "t", "t__3"]


def test_a_table_is_found_by_one_two_or_three_parts(lease: Lease, lake: Lake) -> None:
    write(lake, "flights")
    write(lake, "raw", "us", "planes")
    lease.register("t", ROWS)

    for name in ("flights", "public.flights", "lake.public.flights", "t"):
        assert lease.table(name).count() == 2, name
    for name in ("raw/us.planes", "lake.raw/us.planes"):
        assert lease.table(name).count() == 2, name
    with pytest.raises(TableNotFoundError, match="table 'nowhere' was not found"):
        lease.table("nowhere")
    with pytest.raises(TableNotFoundError, match=r"table 'lake.nowhere' was not found"):
        lease.table("lake.nowhere")


def test_an_input_is_what_was_loaded_of_it(lease: Lease, lake: Lake) -> None:
    flights = write(lake, "flights")
    lease.load(flights, ("1",), Narrowing(filters=("a = 1",)))

    assert total(lease, "SELECT sum(a) AS a FROM flights") == 1
    assert lease.table("flights").count() == 1
    assert lease.scan(flights).count() == 2
    assert lease.loaded[flights.name].partition_keys == ("1",)


def test_an_ended_lease_is_of_no_use(lease: Lease, lake: Lake) -> None:
    flights = write(lake, "flights")
    lease.register("t", ROWS)
    lease.load(flights, (), Narrowing())
    with lease:
        pass

    for use in (
        lambda: lease.sql("SELECT 1"),
        lambda: lease.table("flights"),
        lambda: lease.register("t", ROWS),
        lambda: lease.scan(flights),
        lambda: lease.load(flights, (), Narrowing()),
    ):
        with pytest.raises(PoolError, match="lease 'run_1a2b3c4d_busy_routes_0__' has"):
            use()
    assert (lease.names, lease.digests, lease.loaded) == ({}, {}, {})


def test_a_name_that_others_removed_is_told_and_the_rest_is_gone(lease: Lease) -> None:
    before = lease.session.catalog.registered
    gone, other = lease.register("t", ROWS), lease.register("u", ROWS)
    lease.session.ctx.deregister_table(gone)

    with pytest.raises(PoolError) as error:
        lease.release()

    assert str(error.value) == snapshot(
        "run_1a2b3c4d_busy_routes_0__t of 'run_1a2b3c4d_busy_routes_0__' had been removed by others"
    )
    assert ("public", other) not in lease.session.catalog.registered
    assert lease.session.catalog.registered == before


def test_a_lease_of_a_closed_session_ends_quietly(lease: Lease) -> None:
    lease.register("t", ROWS)
    lease.session.close()

    lease.release()


def test_a_name_that_means_nothing_is_told_with_the_names_of_the_lease(
    lease: Lease, lake: Lake
) -> None:
    write(lake, "flights")
    lease.table("flights")
    lease.register("limits", ROWS)

    asks: tuple[Callable[[], DataFrame], ...] = (
        lambda: lease.sql("SELECT * FROM limit", tables={"only_here": ROWS}),
        lambda: lease.table("limit"),
    )
    for ask in asks:
        with pytest.raises(TableNotFoundError) as refused:
            ask()
        assert refused.value.table == "limit"
        names = str(refused.value).partition("there is ")[2].partition(".")[0]
        assert names.replace(", only_here", "") == "flights, limits"
        assert "Did you mean 'limits'?" in str(refused.value)
    with pytest.raises(QueryError, match="planning 'SELEKT 1'"):
        lease.sql("SELEKT 1")
