"""Names become tables when a query asks for them."""

import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from datafusion.catalog import Table

from dagster_dfsession.errors import DeltaError, QueryError, TableNotFoundError
from dagster_dfsession.profile.sql import SqlProfile
from dagster_dfsession.session.catalog import NoTables, SessionCatalog, TableName
from dagster_dfsession.session.session import Session

Opened = Callable[..., Session]


def table_of(*values: int) -> Table:
    return Table(ds.dataset(pa.table({"a": list(values)})))


class Source:
    """Tables that note when they are opened."""

    def __init__(self, *names: TableName) -> None:
        self.tables = {name: table_of(number) for number, name in enumerate(names)}
        self.opened: list[TableName] = []
        self.broken: Exception | None = None

    def open(self, name: TableName) -> Table | None:
        self.opened.append(name)
        if self.broken is not None:
            raise self.broken
        return self.tables.get(name)

    def names(self) -> Collection[TableName]:
        return self.tables


FLIGHTS, PLANES, NESTED = ("public", "flights"), ("raw", "planes"), ("raw/us", "x y")


@pytest.fixture
def source() -> Source:
    return Source(FLIGHTS, PLANES, NESTED)


@pytest.fixture
def session(opened: Opened, source: Source) -> Session:
    return opened(source=source, sql=SqlProfile(policy="admin"))


def rows(session: Session, query: str, **bound: Table) -> list[int]:
    names = {("public", name): table for name, table in bound.items()}
    return session.sql(query, bound=names).to_pydict()["a"]


def test_nothing_is_opened_before_a_query_names_it(
    session: Session, source: Source
) -> None:
    session.table_names()
    session.snapshot()
    session.sql("SELECT 1")
    assert source.opened == []

    session.sql("SELECT a FROM flights")
    assert set(source.opened) == {FLIGHTS}


def test_only_what_a_query_names_is_opened(session: Session, source: Source) -> None:
    query = """
        WITH planes AS (SELECT a FROM flights)
        SELECT a FROM planes WHERE a IN (SELECT a FROM raw.planes)
    """

    assert rows(session, query) == []
    assert set(source.opened) == {FLIGHTS, PLANES}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT a FROM flights", 0),
        ("SELECT a FROM public.flights", 0),
        ("SELECT a FROM lake.public.flights", 0),
        ("SELECT a FROM Raw.PLANES", 1),
        ("SELECT planes.a FROM lake.raw.planes", 1),
        ('SELECT a FROM "raw/us"."x y"', 2),
        ('SELECT a FROM lake."raw/us"."x y"', 2),
    ],
)
def test_a_name_may_have_one_two_or_three_parts(
    query: str, found: int, session: Session
) -> None:
    assert rows(session, query) == [found]


@pytest.mark.parametrize("name", ["nowhere", "raw.nowhere", "other.raw.planes"])
def test_a_name_that_means_nothing_is_not_found(name: str, session: Session) -> None:
    with pytest.raises(
        TableNotFoundError, match=r"there is flights, raw[.]planes, raw/us"
    ):
        session.sql(f"SELECT a FROM {name}")


def test_a_binding_is_there_for_one_query_only(session: Session) -> None:
    bound = session.sql("SELECT a FROM flights", bound={FLIGHTS: table_of(7)})

    assert bound.to_pydict() == {"a": [7]}
    assert rows(session, "SELECT a FROM flights") == [0]
    assert bound.to_pydict() == {"a": [7]}


def test_a_binding_comes_before_what_is_registered_and_that_before_the_source(
    session: Session, source: Source
) -> None:
    session.catalog.add(FLIGHTS, table_of(8))

    assert rows(session, "SELECT a FROM flights") == [8]
    assert rows(session, "SELECT a FROM flights", flights=table_of(9)) == [9]
    session.catalog.remove(FLIGHTS)
    assert rows(session, "SELECT a FROM flights") == [0]
    assert source.opened.count(FLIGHTS) == 1


def test_a_query_that_fails_takes_its_bindings_with_it(session: Session) -> None:
    with pytest.raises(QueryError):
        rows(session, "SELECT nothing FROM mine", mine=table_of(1))

    with pytest.raises(TableNotFoundError):
        rows(session, "SELECT a FROM mine")


def test_what_a_source_raises_is_raised_as_it_is(
    session: Session, source: Source
) -> None:
    source.broken = DeltaError("the log ends in the middle")
    with pytest.raises(DeltaError) as error:
        session.sql("SELECT a FROM flights")
    assert error.value is source.broken

    source.broken = OSError("no route to host")
    with pytest.raises(QueryError, match="no route to host") as other:
        session.sql("SELECT a FROM flights")
    assert other.value.__cause__ is source.broken

    source.broken = None
    assert rows(session, "SELECT a FROM flights") == [0]


def test_a_failure_outside_a_query_is_not_held_against_the_next_one(
    session: Session, source: Source
) -> None:
    source.broken = DeltaError("gone")
    assert session.catalog.find(PLANES) is None

    source.broken = None
    assert rows(session, "SELECT a FROM flights") == [0]


def test_what_sql_creates_is_registered_and_what_it_drops_is_gone(
    session: Session,
) -> None:
    session.sql("CREATE TABLE made AS SELECT 5 AS a")
    session.sql("CREATE VIEW raw.seen AS SELECT a + 1 AS a FROM made")
    assert session.catalog.registered >= {("public", "made"), ("raw", "seen")}
    assert rows(session, "SELECT a FROM raw.seen") == [6]

    session.sql("DROP VIEW raw.seen")
    session.sql("DROP TABLE made")
    assert not session.catalog.registered & {("public", "made"), ("raw", "seen")}


def test_the_context_registers_in_the_catalog(session: Session) -> None:
    before = session.catalog.registered
    session.ctx.register_batch("batch", pa.record_batch({"a": [1]}))
    session.ctx.register_table("again", table_of(2))
    session.ctx.register_view("view", session.sql("SELECT 3 AS a"))

    assert session.catalog.registered - before == {
        ("public", "batch"),
        ("public", "again"),
        ("public", "view"),
    }
    assert session.ctx.table_exist("batch")
    assert not session.ctx.table_exist("nowhere")
    for name in ("batch", "again", "view", "never_there"):
        session.ctx.deregister_table(name)
    assert session.catalog.registered == before


def test_removing_what_is_not_registered_is_an_error_and_forgetting_it_is_not() -> None:
    catalog = SessionCatalog("public")
    catalog.forget(FLIGHTS)

    with pytest.raises(KeyError):
        catalog.remove(FLIGHTS)


def test_the_information_schema_lists_every_known_table(session: Session) -> None:
    listed = session.sql(
        "SELECT table_schema AS s, table_name AS t FROM information_schema.tables "
        "WHERE table_catalog = 'lake'"
    ).to_pylist()

    names = {(row["s"], row["t"]) for row in listed}
    assert names >= {FLIGHTS, PLANES, NESTED, ("dfsession", "session")}


def test_a_catalog_without_a_source_has_its_default_schema_only(
    opened: Opened,
) -> None:
    catalog = SessionCatalog("main")

    assert catalog.schema_names() == {"main"}
    assert catalog.schema("information_schema") is None
    assert NoTables().open(FLIGHTS) is None
    assert opened().table_names() == []


def test_threads_that_plan_at_once_see_their_own_bindings(session: Session) -> None:
    start = threading.Barrier(8)

    def plan(number: int) -> list[int]:
        start.wait()
        return [
            rows(session, "SELECT a FROM mine", mine=table_of(number))[0]
            for _ in range(20)
        ]

    with ThreadPoolExecutor(8) as threads:
        seen = list(threads.map(plan, range(8)))

    assert seen == [[number] * 20 for number in range(8)]
    assert ("public", "mine") not in session.catalog.known_names()
