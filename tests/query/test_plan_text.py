"""What the text of a plan says: its tables, and what may differ from run to run."""

from collections.abc import Callable

import pyarrow as pa
import pytest
from datafusion.catalog import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import dataset as ds

from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.query.identity import PlanIdentity, neutral, plan_identity

Lent = Callable[..., Lease]

FLIGHTS = pa.table({"a": [1, 2], "b": ["x", "y"], "d": [0.5, 1.5]})
ROUTES = pa.table({"a": [1, 2], "c": ["x", "y"]})


def identify(lease: Lease, query: str) -> PlanIdentity:
    lease.register("flights", FLIGHTS)
    lease.register("routes", ROUTES)
    frame = lease.sql(query)
    scoped = {full: f"<{short}>" for full, short in lease.names.items()}
    return plan_identity(frame, lease.session.snapshot(), scoped=scoped)


@pytest.mark.parametrize(
    ("query", "variable"),
    [
        ("SELECT random() AS r FROM flights", ("random",)),
        ("SELECT uuid() AS u", ("uuid",)),
        ("SELECT a FROM flights WHERE now() > '2020-01-01'", ("now",)),
        ("SELECT current_date AS d, current_timestamp AS t", ("current_date", "current_timestamp", "now")),
        ("SELECT value FROM range(1, 3)", ("range()",)),
        ("SELECT a FROM flights ORDER BY random()", ("random",)),
        ("SELECT a FROM flights WHERE a IN (SELECT a FROM routes WHERE random() > 0)", ("random",)),
    ],
)  # fmt: skip
def test_what_differs_from_run_to_run_is_named(
    query: str, variable: tuple[str, ...], lent: Lent
) -> None:
    assert identify(lent(), query).variable == variable


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 'random()' AS r, b FROM flights WHERE b <> 'now()'",
        "SELECT a FROM flights WHERE b LIKE 'adhoc(%'",
        "SELECT 'it''s \"random()' || b AS r FROM flights",
        "SELECT 'a\nTableScan: nothing' AS r FROM flights",
        "SELECT 'Utf8(\"' AS a, 'uuid()' AS b FROM flights",
    ],
)
def test_a_text_that_looks_like_a_call_hides_no_table(query: str, lent: Lent) -> None:
    """It may be taken for a call or a table: that costs a data version, no lie."""
    assert "<flights>" in identify(lent(), query).tables


def test_an_alias_that_looks_like_a_text_hides_no_call(lent: Lent) -> None:
    query = """SELECT 1 AS "q Utf8(\"\" ", random() AS x, 'b' AS y FROM flights"""

    assert "random" in identify(lent(), query).variable


SIX = ", ".join(f"({number})" for number in range(6))


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT a FROM flights LIMIT 1", "LIMIT without ORDER BY"),
        (
            f"SELECT (SELECT max(a) FROM (VALUES {SIX}) t(a)) AS m FROM flights",
            "VALUES of more rows than a plan shows",
        ),
        (
            "SELECT row_number() OVER () AS n FROM flights",
            "row_number without ORDER BY",
        ),
        ("SELECT array_agg(a) AS l FROM flights", "array_agg without ORDER BY"),
        (
            "SELECT DISTINCT ON (b) a, b FROM flights",
            "first_value without ORDER BY",
        ),
        (
            "SELECT lag(a) OVER () AS l, max(a) OVER (ORDER BY a) AS m FROM flights",
            "lag without ORDER BY",
        ),
        (
            "SELECT unnest([1, 2]) AS u FROM flights",
            "unnest, of which a plan shows half",
        ),
    ],
)
def test_what_nobody_ordered_or_showed_may_vary(
    query: str, reason: str, lent: Lent
) -> None:
    assert identify(lent(), query).variable == (reason,)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a FROM flights ORDER BY a LIMIT 1",
        "SELECT a FROM flights ORDER BY a LIMIT 1 OFFSET 2",
        "SELECT row_number() OVER (PARTITION BY b ORDER BY abs(a)) AS n FROM flights",
        "SELECT array_agg(a ORDER BY a) AS l, sum(a) AS s FROM flights",
        "SELECT DISTINCT ON (b) a, b FROM flights ORDER BY b, a",
        "SELECT sum(a) OVER (PARTITION BY b) AS n FROM flights",
        "SELECT * FROM (VALUES (1), (2)) t(a)",
        f"SELECT * FROM (VALUES {SIX}) t(a)",
    ],
)
def test_what_is_ordered_and_shown_does_not_vary(query: str, lent: Lent) -> None:
    assert identify(lent(), query).variable == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "SELECT l.a FROM flights l JOIN flights r ON l.b = r.b",
            "SELECT l.a FROM flights l JOIN flights r ON l.b IS NOT DISTINCT FROM r.b",
        ),
        (
            """SELECT a FROM flights WHERE b IN ('a"), Utf8("b','c','d','e')""",
            """SELECT a FROM flights WHERE b IN ('a','b"), Utf8("c','d','e')""",
        ),
    ],
)
def test_queries_that_a_plan_spells_alike_are_told_apart(
    one: str, other: str, lent: Lent
) -> None:
    lease = lent()

    assert identify(lease, one).plan_hash != identify(lease, other).plan_hash


@pytest.mark.parametrize("text", ['Utf8("', '")', '" "', "x\n", 'Utf8("x")'])
def test_a_text_hides_no_call(text: str, lent: Lent) -> None:
    query = f"SELECT '{text}' AS t, random() AS r, b || '{text}' AS u FROM flights"

    assert "random" in identify(lent(), query).variable


@pytest.mark.parametrize(
    "query",
    [
        "SELECT CAST(a AS DECIMAL(10, 2)) AS d, DATE '2020-01-01' + INTERVAL '1 day' AS t FROM flights",
        "SELECT CASE WHEN a > 1 THEN [1, a] ELSE [] END AS l, {'k': a} AS s FROM flights",
        "SELECT b, count(DISTINCT a) FILTER (WHERE d > 1), grouping(b) FROM flights GROUP BY ROLLUP (b)",
        "SELECT a, row_number() OVER (PARTITION BY b ORDER BY d ROWS 1 PRECEDING) AS n FROM flights",
        "SELECT f.a, x.m FROM flights f, LATERAL (SELECT max(r.a) AS m FROM routes r WHERE r.a = f.a) x",
        "SELECT TIMESTAMPTZ '2020-01-01T00:00:00Z' AS t, TRY_CAST(b AS INT) AS i, arrow_cast(a, 'Int8') FROM flights",
        "SELECT b SIMILAR TO 'x', substr(b, 1, 2), extract(year FROM DATE '2020-01-01') FROM flights",
        "SELECT * FROM flights WHERE a IN (1, 2) AND NOT (b IN ('x')) AND a IN (SELECT a FROM routes)",
        "SELECT arrow_cast('1', 'Time64(Nanosecond)'), arrow_cast(1, 'Duration(Second)'), X'00' FROM flights",
    ],
    ids=range(9),
)  # fmt: skip
def test_no_part_of_sql_passes_for_a_function_that_is_not_installed(
    query: str, lent: Lent
) -> None:
    assert identify(lent(), query).variable == ()


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        ("SELECT 1 AS one", ()),
        ("SELECT f.a FROM flights f, range(1, 3) r", ("<flights>",)),
        ("SELECT f.a FROM flights f JOIN routes r ON f.a = r.a", ("<flights>", "<routes>")),
        ("SELECT a FROM flights UNION ALL SELECT a FROM routes", ("<flights>", "<routes>")),
        ("WITH routes AS (SELECT a FROM flights) SELECT a FROM routes", ("<flights>",)),
        ("WITH q AS (SELECT a FROM routes) SELECT a FROM flights WHERE a IN (SELECT a FROM q)", ("<flights>", "<routes>")),
        ("SELECT a FROM flights WHERE EXISTS (SELECT 1 FROM routes WHERE routes.a = flights.a)", ("<flights>", "<routes>")),
        ("SELECT (SELECT max(a) FROM routes) AS m FROM flights", ("<flights>", "<routes>")),
        ('SELECT "Ab" FROM "raw/us"."my table"', ("raw/us.my table",)),
        ('SELECT "Ab" FROM "raw/us"."my table" LIMIT 1', ("raw/us.my table",)),
        ('SELECT "Ab" FROM "raw/us"."my table" WHERE "Ab" > 1', ("raw/us.my table",)),
        ("SELECT a FROM lake.public.flights, dfsession.session", ("<flights>", "dfsession.session")),
    ],
    ids=range(12),
)  # fmt: skip
def test_the_tables_of_a_query_are_found_wherever_they_stand(
    query: str, tables: tuple[str, ...], lent: Lent
) -> None:
    lease = lent()
    quoted = Table(ds.dataset(pa.table({"Ab": [1]})))
    lease.session.catalog.add(("raw/us", "my table"), quoted)

    assert identify(lease, query).tables == tables


@given(
    st.dictionaries(
        st.from_regex("run_[a-c]{1,3}", fullmatch=True), st.text("<>xyz", min_size=1)
    )
)
@settings(max_examples=50)
def test_the_longest_name_is_replaced_first(scoped: dict[str, str]) -> None:
    text = " ".join(scoped)

    assert neutral(text, scoped) == " ".join(scoped.values())
