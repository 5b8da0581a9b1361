"""What Sail reads otherwise is refused, by name, with what to write instead."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import pyarrow as pa
import pytest

import dagster_dfsession as dfs
from dagster_dfsession.engines.sail.dialect import check_dialect, check_text
from dagster_dfsession.errors import QueryError
from dagster_dfsession.profile.sql import SqlProfile
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.session.session import Session

SPARK = SqlProfile(float_as_decimal=True, null_ordering="nulls_min")
ROWS = pa.table(
    {
        "n": pa.array([1], pa.int32()),
        "b": pa.array([1], pa.int64()),
        "x": pa.array([1.0]),
        "s": ["text"],
        "l": [[1, 2]],
    }
)
REFUSED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "SELECT n / 2 FROM t": ("a / b of integers", "CAST(a AS DOUBLE)"),
        "SELECT 7/2": ("a / b of integers", "CAST(a AS DOUBLE)"),
        "SELECT b FROM t WHERE (SELECT max(b / n) FROM t) > 1": (
            "a / b of integers",
            "CAST(a AS DOUBLE)",
        ),
        'SELECT "s" FROM t': ('"s"', "`s`"),
        "SELECT concat(s, 'a') FROM t": ("concat(...)", "a || b"),
        "SELECT l[1] FROM t": ("array[1]", "upstream"),
        "SELECT substr(s, -3) FROM t": ("substr(text, start)", "right(text, 3)"),
        "SELECT substring(s, 0, 2) FROM t": ("substring(text, start)", "at least 1"),
        "SELECT substring(s FROM n) FROM t": ("substring(text, start)", "at least 1"),
        "SELECT regexp_replace(s, 't', 'x') FROM t": ("regexp_replace", "replace("),
        "SELECT n + 2147483647 FROM t": ("t.n + 1", "CAST(t.n AS BIGINT)"),
        "SELECT sum(2 * n) AS s FROM t": ("t.n + 1", "CAST(t.n AS BIGINT)"),
        r"SELECT 'a\nb'": ("a backslash in a text", "$name"),
        "SELECT to_timestamp(s) FROM t": ("to_timestamp(...)", "AS DATE"),
        "SELECT from_unixtime(n) FROM t": ("from_unixtime(...)", "upstream"),
        "SELECT to_char(DATE '2020-01-01', '%Y')": ("to_char(...)", "extract("),
        "SELECT 2147483647 * 2": ("2147483647 * 2", "the result"),
        "SELECT 7 / -2": ("a / b of integers", "CAST(a AS DOUBLE)"),
        "SELECT (1 + 6) / 2": ("a / b of integers", "CAST(a AS DOUBLE)"),
        "SELECT x FROM t WHERE EXISTS (SELECT 1 FROM t AS u WHERE u.b / 2 = t.b)": (
            "a / b of integers",
            "CAST(a AS DOUBLE)",
        ),
        # A query for which Substrait has no words: nobody can tell the types.
        "SELECT sum(x / 2) FILTER (WHERE n > 1) OVER () AS y FROM t": (
            "a / b of integers",
            "CAST(a AS DOUBLE)",
        ),
        "SELECT -2147483647 - 2": ("2147483647 - 2", "the result"),
        "SELECT 2147483647 * -2": ("a sum, a product", "the result"),
        "SELECT 65536 * (32767 + 1)": ("a sum, a product", "CAST(number AS BIGINT)"),
        "SELECT 1 << 33": ("a sum, a product or a shift", "the result"),
        "SELECT 1 >> 33": ("a sum, a product or a shift", "the result"),
        "SELECT n * (2 + 3) FROM t": ("t.n + 1", "CAST(t.n AS BIGINT)"),
        "SELECT (2 + 3) * n FROM t": ("t.n + 1", "CAST(t.n AS BIGINT)"),
        "SELECT n << 33 FROM t": ("t.n + 1", "CAST(t.n AS BIGINT)"),
        "SELECT 'it''s'": ("'' in a text", "$name"),
        "SELECT ln(x) FROM t": ("ln(...)", "ln(CASE WHEN x > 0 THEN x END)"),
        "SELECT log(2, x) FROM t": ("log(...)", "NULL in both"),
        "SELECT date_part('second', now())": ("extract(second", "date_trunc("),
        "SELECT ltrim(s, 't') FROM t": ("ltrim(...)", "trim(LEADING"),
        "SELECT rtrim(s, 't') FROM t": ("rtrim(...)", "TRAILING"),
        "SELECT extract(second FROM now())": ("extract(second", "date_trunc("),
        "SELECT 1.5e0": ("1.5e0", "without an exponent"),
    }
)
DEPENDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "SELECT s FROM t ORDER BY s LIMIT 1": ("ORDER BY without", "sql.null_ordering"),
        "SELECT s FROM t ORDER BY s NULLS LAST, n": ("ORDER BY without", "NULLS LAST"),
        "SELECT 1.5 AS x": ("1.5", "sql.float_as_decimal"),
        "SELECT .5 AS x": ("0.5", "CAST('0.5' AS DOUBLE)"),
    }
)
TAKEN = (
    "SELECT x / 2 AS y, b % 2 AS z FROM t",
    "SELECT CAST(n AS BIGINT) + 1 AS y, b * 2 AS z, n + n AS w FROM t",
    "SELECT `s`, '\"' AS q, 'substr(x, -1)' AS r FROM t -- concat(",
    "SELECT substring(s FROM 1 FOR 2), substr(s, 2), right(s, 2) FROM t",
    "SELECT s || 'a', replace(s, 't', 'x'), 1.5 AS y FROM t ORDER BY s",
    "SELECT ltrim(s), trim(LEADING 't' FROM s), 1999 + 1 AS y FROM t",
    "SELECT row_number() OVER (ORDER BY s) AS r FROM t",
    "SELECT CAST(b AS DOUBLE) / n AS y FROM t WHERE n > 1",
    "SELECT (x + 1) / 2 AS y, b * 2000000000 + 2 AS z, 1 + 365 * 24 * 3600 AS w FROM t",
    "SELECT ln(CASE WHEN x > 0 THEN x END) AS y, log(2, CASE WHEN x > 0 THEN x END) FROM t",
    "SELECT b << 33 AS y, 2147483646 + 1 AS z, CAST(2147483647 AS BIGINT) * 2 AS w FROM t",
    "SELECT date_trunc('second', now()) AS y, 'second' AS z",
    "SELECT b FROM t WHERE EXISTS (SELECT 1 FROM t AS u WHERE u.x / 2 = t.x)",
)


@pytest.fixture(scope="module")
def check() -> Callable[..., None]:
    sessions: dict[bool, Session] = {}
    for spark in (True, False):
        profile = dfs.SessionProfile(name="any", sql=SPARK if spark else SqlProfile())
        sessions[spark] = dfs.open_session(dfs.plan_session(profile))
        sessions[spark].ctx.from_arrow(ROWS, "t")

    def check(query: str, *, spark: bool = True) -> None:
        session = sessions[spark]
        settings = session.snapshot().settings
        check_dialect(query, Planned(session.planned(query)), settings)

    return check


@pytest.mark.parametrize("query", REFUSED)
def test_what_is_silently_different_is_refused_by_name(
    query: str, check: Callable[..., None]
) -> None:
    what, instead = REFUSED[query]

    with pytest.raises(QueryError) as refused:
        check(query)

    assert str(refused.value).startswith(f"engine 'sail' refuses {what}")
    assert instead in str(refused.value)
    assert refused.value.kind == "dialect"


@pytest.mark.parametrize("query", DEPENDS)
def test_what_a_setting_makes_different_is_refused_without_it(
    query: str, check: Callable[..., None]
) -> None:
    what, instead = DEPENDS[query]
    check(query)

    with pytest.raises(QueryError) as refused:
        check(query, spark=False)

    assert f"refuses {what}" in str(refused.value)
    assert instead in str(refused.value)


@pytest.mark.parametrize("query", TAKEN)
def test_what_both_read_alike_is_taken(query: str, check: Callable[..., None]) -> None:
    check(query)


def test_an_order_that_says_where_null_goes_is_taken_in_any_session(
    check: Callable[..., None],
) -> None:
    check("SELECT s, n FROM t ORDER BY s NULLS LAST, n DESC NULLS FIRST", spark=False)


def test_the_message_shows_the_place() -> None:
    with pytest.raises(QueryError) as refused:
        check_text("SELECT a,\n  concat(b, c)\nFROM t")

    assert (refused.value.line, refused.value.column) == (2, 3)
    assert str(refused.value).endswith("2 |   concat(b, c)\n  |   ^")
