"""What makes a query another one, and what does not."""

import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.profile.sql import SqlProfile
from dagster_dfsession.query.identity import plan_identity
from dagster_dfsession.session.factory import open_session

Lent = Callable[..., Lease]

FLIGHTS = pa.table({"a": [1, 2], "b": ["x", "y"], "d": [0.5, 1.5]})
EVERY = "SELECT * FROM flights"


def plan_hash(lease: Lease, query: str, **params: Any) -> str:
    scoped = {full: f"<{short}>" for full, short in lease.names.items()}
    frame = lease.sql(query, params=params)
    return plan_identity(frame, lease.session.snapshot(), scoped=scoped).plan_hash


@pytest.fixture(scope="module")
def lease() -> Iterator[Lease]:
    """A session with two tables, of equal columns, and one that changes nothing."""
    with open_session(plan_session(SessionProfile(name="test"))) as session:
        lease = Lease(session, Scope(run_id="1a2b3c4d", step="load"))
        lease.register("flights", FLIGHTS)
        lease.register("trains", FLIGHTS)
        yield lease


# To plan queries takes a while: minutes, if a failing example is made ever smaller.
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)

integers = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
values = (
    st.none() | st.booleans() | integers | st.floats(allow_nan=False) | texts
    | st.binary() | st.dates() | st.decimals(allow_nan=False, places=3, max_value=10**9, min_value=-10**9)
)  # fmt: skip


@given(one=values, other=values)
@hypothesis_settings(max_examples=60, phases=QUICK)
def test_two_values_are_two_queries_and_one_is_one(
    one: Any, other: Any, lease: Lease
) -> None:
    query = "SELECT $value AS v, a FROM flights"
    hashes = [plan_hash(lease, query, value=each) for each in (one, other, one)]

    # True equals 1 in Python, and 0.0 equals -0.0.
    same = (type(one), repr(one)) == (type(other), repr(other))
    assert hashes[0] == hashes[2]
    assert (hashes[0] == hashes[1]) == same


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 99), texts), min_size=6, max_size=12, unique=True
    ),
    data=st.data(),
)
@hypothesis_settings(max_examples=30, phases=QUICK)
def test_one_cell_of_many_rows_is_another_query(
    rows: list[tuple[int, str]], data: st.DataObject, lease: Lease
) -> None:
    """The text of a plan shows five rows of VALUES."""

    def listed(rows: list[tuple[int, str]]) -> str:
        cells = (f"""({n}, '{t.replace("'", "''")}')""" for n, t in rows)
        return f"SELECT a, n FROM flights JOIN (VALUES {', '.join(cells)}) AS v(n, t) ON b = t"

    at = data.draw(st.integers(0, len(rows) - 1))
    number, text = rows[at]
    other = [*rows]
    other[at] = (
        (number, f"{text}.") if data.draw(st.booleans()) else (number // 2 - 1, text)
    )

    assert plan_hash(lease, listed(rows)) == plan_hash(lease, listed(rows))
    assert (plan_hash(lease, listed(rows)) == plan_hash(lease, listed(other))) == (
        rows == other
    )


names = st.text(string.ascii_lowercase, min_size=1, max_size=6)


@given(
    names=st.sets(names, max_size=4).map(lambda found: found - {"flights", "trains"})
)
@hypothesis_settings(max_examples=15, phases=QUICK)
def test_tables_of_any_name_beside_it_change_nothing(
    names: set[str], lease: Lease
) -> None:
    query = "SELECT b, sum(a) AS s FROM flights WHERE b <> 'trains' GROUP BY b"
    alone = plan_hash(lease, query)
    with Lease(lease.session, Scope(run_id="ffffffff", step="other")) as among:
        among.register("flights", FLIGHTS)
        for name in names:
            among.register(name, FLIGHTS.select(["d"]))

        assert plan_hash(among, query) == alone


PAIRS = [
    ("SELECT X'00ff01' AS q", "SELECT X'00ff02' AS q"),
    ("SELECT [1, 2, 3] AS q", "SELECT [1, 2, 4] AS q"),
    ("SELECT {'k': 1} AS q", "SELECT {'j': 1} AS q"),
    ("SELECT 1 AS q", "SELECT 1.0 AS q"),
    ("SELECT 1 AS q", "SELECT '1' AS q"),
    ("SELECT CAST(1 AS INT) AS q", "SELECT CAST(1 AS BIGINT) AS q"),
    ("SELECT 0.0 AS q", "SELECT -0.0 AS q"),
    ("SELECT INTERVAL '1 day' AS q", "SELECT INTERVAL '24 hours' AS q"),
    ("SELECT TIMESTAMP '2020-01-01' AS q", "SELECT TIMESTAMP '2020-01-01T00:00:00.000000001' AS q"),
    ("SELECT a AS q FROM flights", "SELECT a AS Q2 FROM flights"),
    ('SELECT a AS "Q" FROM flights', "SELECT a AS Q FROM flights"),
    ("SELECT a FROM flights", "SELECT a FROM trains"),
    ("SELECT f.a FROM flights f JOIN trains t ON f.a = t.a", "SELECT t.a FROM flights f JOIN trains t ON f.a = t.a"),
    ("SELECT f.a FROM flights f JOIN trains t ON f.a = t.a", "SELECT f.a FROM flights f LEFT JOIN trains t ON f.a = t.a"),
    ("SELECT a FROM flights ORDER BY a", "SELECT a FROM flights ORDER BY a NULLS FIRST"),
    ("SELECT a FROM flights UNION ALL SELECT a FROM trains", "SELECT a FROM flights UNION SELECT a FROM trains"),
    ("SELECT a FROM flights EXCEPT SELECT a FROM trains", "SELECT a FROM flights EXCEPT ALL SELECT a FROM trains"),
    ("SELECT count(a) AS n FROM flights", "SELECT count(DISTINCT a) AS n FROM flights"),
    ("SELECT count(a) FILTER (WHERE d > 1) AS n FROM flights", "SELECT count(a) FILTER (WHERE d > 2) AS n FROM flights"),
    ("SELECT array_agg(a ORDER BY a) AS l FROM flights", "SELECT array_agg(a ORDER BY a DESC) AS l FROM flights"),
    ("SELECT lag(a) IGNORE NULLS OVER (ORDER BY a) AS n FROM flights", "SELECT lag(a) OVER (ORDER BY a) AS n FROM flights"),
    ("SELECT sum(a) OVER (ORDER BY a ROWS 1 PRECEDING) AS s FROM flights", "SELECT sum(a) OVER (ORDER BY a RANGE 1 PRECEDING) AS s FROM flights"),
    ("SELECT b FROM flights WHERE b LIKE 'a%'", "SELECT b FROM flights WHERE b ILIKE 'a%'"),
    ("SELECT b FROM flights WHERE b LIKE 'a!%' ESCAPE '!'", "SELECT b FROM flights WHERE b LIKE 'a!%'"),
    ("SELECT CAST(b AS INT) AS n FROM flights", "SELECT TRY_CAST(b AS INT) AS n FROM flights"),
    ("SELECT a, count(*) AS n FROM flights GROUP BY ROLLUP (a, b)", "SELECT a, count(*) AS n FROM flights GROUP BY CUBE (a, b)"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=range(len(PAIRS)))
def test_one_word_makes_another_query(one: str, other: str, lease: Lease) -> None:
    assert plan_hash(lease, one) != plan_hash(lease, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM flights WHERE a > 1", "select  A\nfrom FLIGHTS -- where\nwhere (a > 1)"),
        ("SELECT a FROM (SELECT a FROM flights) f", "WITH f AS (SELECT a FROM flights) SELECT a FROM f"),
    ],
    ids=["layout", "with"],
)  # fmt: skip
def test_another_spelling_is_the_same_query(one: str, other: str, lease: Lease) -> None:
    assert plan_hash(lease, one) == plan_hash(lease, other)


def test_a_value_is_the_same_bound_or_written(lease: Lease) -> None:
    bound = plan_hash(lease, "SELECT a FROM flights WHERE a > $least", least=1)

    assert bound == plan_hash(lease, "SELECT a FROM flights WHERE a > 1")


def test_another_definition_of_a_view_is_another_query(lent: Lent) -> None:
    hashes = []
    for least in (1, 1, 2):
        lease = lent()
        lease.register("flights", FLIGHTS)
        lease.register("late", lease.sql(f"SELECT * FROM flights WHERE a > {least}"))
        hashes.append(plan_hash(lease, "SELECT count(*) AS n FROM late"))

    assert hashes[0] == hashes[1] != hashes[2]


def test_whether_case_counts_in_names_counts(lent: Lent) -> None:
    """Only the setting differs, as it would in a query that has no upper case."""
    hashes = []
    for normal in ("on", "off"):
        lease = lent(sql=SqlProfile(ident_normalization=normal))
        lease.register("flights", FLIGHTS)
        hashes.append(plan_hash(lease, EVERY))

    assert hashes[0] != hashes[1]


def in_lake(root: Path, query: str, *versions: pa.Table) -> str:
    for rows in versions:
        write_deltalake(
            root / "flights", rows, mode="overwrite", schema_mode="overwrite"
        )
    tables = RunTables("public")
    tables.add_lake(Lake(str(root)))
    with open_session(
        plan_session(SessionProfile(name="test")), source=tables
    ) as session:
        return plan_hash(Lease(session, Scope(run_id=root.name)), query)


def test_another_place_of_a_table_and_another_version_change_nothing(
    tmp_path: Path,
) -> None:
    query = "SELECT b, sum(a) AS s FROM flights WHERE d > 1 GROUP BY b"
    here = in_lake(tmp_path / "here", query, FLIGHTS)

    assert here == in_lake(tmp_path / "else where", query, FLIGHTS, FLIGHTS.slice(1))


@pytest.mark.parametrize(
    "changed",
    [
        FLIGHTS.append_column("c", pa.array([1, 2])),
        FLIGHTS.drop_columns(["d"]),
        FLIGHTS.rename_columns(["a", "b", "D"]),
        FLIGHTS.select(["b", "a", "d"]),
        FLIGHTS.set_column(0, "a", pa.array([1, 2], pa.int32())),
        pa.table(FLIGHTS.columns, schema=FLIGHTS.schema.set(0, pa.field("a", pa.int64(), nullable=False))),
    ],
    ids=["added", "dropped", "renamed", "moved", "retyped", "not null"],
)  # fmt: skip
def test_another_schema_is_another_query_though_no_column_is_named(
    changed: pa.Table, tmp_path: Path
) -> None:
    before, after = (
        in_lake(tmp_path / name, EVERY, rows)
        for name, rows in (("before", FLIGHTS), ("after", changed))
    )

    assert before != after


def test_a_column_that_a_query_does_not_read_changes_nothing(tmp_path: Path) -> None:
    more = FLIGHTS.append_column("c", pa.array([1, 2]))
    before, after = (
        in_lake(tmp_path / name, "SELECT b FROM flights WHERE a > 1", rows)
        for name, rows in (("before", FLIGHTS), ("after", more))
    )

    assert before == after


def test_a_dot_in_a_name_is_no_schema(lease: Lease) -> None:
    """A plan spells both alike."""
    with Lease(lease.session, Scope(run_id="dotted")) as own:
        catalog = own.session.catalog
        table = catalog.find(("public", next(iter(lease.names))))
        assert table is not None
        for name in (("raw", "flights"), ("public", "raw.flights")):
            catalog.add(name, table)
        one, other = (
            plan_hash(own, f"SELECT a FROM {name}")
            for name in ("raw.flights", '"raw.flights"')
        )
        for name in (("raw", "flights"), ("public", "raw.flights")):
            catalog.remove(name)

    assert one != other
