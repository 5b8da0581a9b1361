"""Meanings: the same for queries that are put otherwise, and for no others."""

import itertools

import pytest
from datafusion import DataFrame, SessionContext, col, lit
from datafusion import functions as f

from dagster_dfsession.errors import QueryError
from dagster_dfsession.query.meaning import Meaning, meaning_of


@pytest.fixture(scope="module")
def ctx() -> SessionContext:
    ctx = SessionContext()
    ctx.from_pydict({"a": [1, 2, None], "b": [2, 2, 3], "s": ["x", "y", "z"]}, "t")
    ctx.from_pydict({"a": [1, None], "c": [5, 6]}, "u")
    return ctx


def meaning(frame: DataFrame) -> Meaning:
    plan = frame.optimized_logical_plan()
    return meaning_of(plan, plan.display_indent())


ALIKE = (
    ("SELECT a, b FROM t WHERE a > 1 AND b < 3", "SELECT a, b FROM t WHERE b < 3 AND a > 1"),
    ("SELECT a + b AS c FROM t", "SELECT x + b FROM (SELECT b, a AS x FROM t)"),
    ("SELECT s, sum(a) FROM t GROUP BY s", "SELECT k, n FROM (SELECT sum(a) AS n, s AS k FROM t GROUP BY s)"),
    ("SELECT a, s, count(*) FROM t GROUP BY a, s", "SELECT a, s, count(*) FROM t GROUP BY s, a"),
    ("SELECT a FROM t WHERE a IN (SELECT a FROM u)", "SELECT a FROM t AS x WHERE a IN (SELECT a FROM (SELECT c, a FROM u))"),
    ("SELECT t.a FROM t JOIN u ON t.a = u.a", "SELECT x.a FROM t AS x JOIN u AS y ON y.a = x.a"),
    ("SELECT a FROM t WHERE a = 1 OR b = 2", "SELECT a FROM t WHERE 2 = b OR a = 1"),
)  # fmt: skip


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_a_query_that_is_put_otherwise_means_the_same(
    one: str, other: str, ctx: SessionContext
) -> None:
    assert meaning(ctx.sql(one)) == meaning(ctx.sql(other))


DIFFERENT = (
    "SELECT a, b FROM t",
    "SELECT b, a FROM t",
    "SELECT DISTINCT a, b FROM t",
    "SELECT a, b FROM t WHERE a > 1",
    "SELECT a, b FROM t WHERE a > 2",
    "SELECT a, b FROM t WHERE a >= 1",
    "SELECT a, b FROM t ORDER BY a",
    "SELECT a, b FROM t ORDER BY b",
    "SELECT a, b FROM t ORDER BY a DESC",
    "SELECT a, b FROM t ORDER BY a NULLS FIRST",
    "SELECT a, b FROM t ORDER BY a LIMIT 1",
    "SELECT a, b FROM t ORDER BY a LIMIT 2",
    "SELECT a, b FROM t ORDER BY a LIMIT 2 OFFSET 1",
    "SELECT a - b, a FROM t",
    "SELECT b - a, a FROM t",
    "SELECT a + b, a FROM t",
    "SELECT abs(a), b FROM t",
    "SELECT -a, b FROM t",
    "SELECT s, sum(a) FROM t GROUP BY s",
    "SELECT s, min(a) FROM t GROUP BY s",
    "SELECT s, sum(b) FROM t GROUP BY s",
    "SELECT s, sum(DISTINCT a) FROM t GROUP BY s",
    "SELECT s, sum(a) FILTER (WHERE b > 1) FROM t GROUP BY s",
    "SELECT s, sum(a) FROM t WHERE b > 1 GROUP BY s",
    "SELECT s, sum(a) FROM t GROUP BY s, b",
    "SELECT s, sum(a) FROM t GROUP BY ROLLUP (s)",
    "SELECT s, sum(a) FROM t GROUP BY GROUPING SETS ((s), (s))",
    "SELECT s, sum(a) OVER (PARTITION BY b) FROM t",
    "SELECT s, sum(a) OVER (PARTITION BY b ORDER BY a) FROM t",
    "SELECT s, sum(a) OVER (PARTITION BY b ORDER BY a ROWS 1 PRECEDING) FROM t",
    "SELECT s, n FROM (SELECT s, b, sum(a) OVER () AS n FROM t) WHERE b > 2",
    "SELECT s, sum(a) OVER () AS n FROM t WHERE b > 2",
    "SELECT t.a, c FROM t JOIN u ON t.a = u.a",
    "SELECT t.a, c FROM t LEFT JOIN u ON t.a = u.a",
    "SELECT u.a, c FROM t LEFT JOIN u ON t.a = u.a",
    "SELECT t.a, c FROM t JOIN u ON t.a IS NOT DISTINCT FROM u.a",
    "SELECT t.a, c FROM t JOIN u ON t.b = u.a",
    "SELECT t.a, c FROM t CROSS JOIN u",
    "SELECT l.a, r.b FROM t AS l JOIN t AS r ON l.a = r.b",
    "SELECT r.a, l.b FROM t AS l JOIN t AS r ON l.a = r.b",
    "SELECT a, b FROM t WHERE a IN (SELECT a FROM u)",
    "SELECT a, b FROM t WHERE a NOT IN (SELECT a FROM u)",
    "SELECT a, b FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.b)",
    "SELECT a, b FROM t UNION ALL SELECT a, b FROM t",
    "SELECT a, b FROM t UNION ALL SELECT b, a FROM t",
    "SELECT a, b FROM t UNION SELECT b, a FROM t",
    "SELECT a, c FROM u",
    "SELECT a, b FROM (VALUES (1, 2)) AS v(a, b)",
    "SELECT a, b FROM (VALUES (1, 3)) AS v(a, b)",
    "SELECT CAST(a AS INT), b FROM t",
    "SELECT CAST(a AS SMALLINT), b FROM t",
    "SELECT CASE WHEN a > 1 THEN 1 ELSE 2 END, b FROM t",
    "SELECT CASE WHEN a > 1 THEN 2 ELSE 1 END, b FROM t",
    "SELECT s, 'x' FROM t",
    "SELECT s, 'X' FROM t",
)  # fmt: skip


def test_no_two_different_queries_mean_the_same(ctx: SessionContext) -> None:
    meant = {query: meaning(ctx.sql(query)) for query in DIFFERENT}

    for one, other in itertools.combinations(DIFFERENT, 2):
        assert meant[one] != meant[other], (one, other)


def test_a_volatile_value_that_is_made_twice_is_another(ctx: SessionContext) -> None:
    once = ctx.sql("SELECT r AS x, r AS y FROM (SELECT random() AS r FROM t)")
    twice = ctx.sql("SELECT random() AS x, random() AS y FROM t")

    assert meaning(once) != meaning(twice)


def test_a_frame_means_what_its_sql_means(ctx: SessionContext) -> None:
    frame = ctx.table("t").aggregate([col("s")], [f.sum(col("a")).alias("n")])
    composed = frame.filter(col("n") > lit(1))

    assert meaning(composed) == meaning(
        ctx.sql("SELECT s, sum(a) AS n FROM t GROUP BY s HAVING sum(a) > 1")
    )


def test_tables_may_be_called_otherwise(ctx: SessionContext) -> None:
    def called(query: str, name: str) -> Meaning:
        plan = ctx.sql(query).optimized_logical_plan()
        return meaning_of(plan, plan.display_indent(), lambda _: name)

    one, other = "SELECT a FROM t", "SELECT a FROM u"

    assert called(one, "x") == called(other, "x") != called(other, "y")


@pytest.mark.parametrize("query", ["EXPLAIN SELECT 1", "SELECT unnest([1, 2])"])
def test_what_substrait_has_no_word_for_has_no_meaning(
    query: str, ctx: SessionContext
) -> None:
    with pytest.raises(QueryError, match="Substrait"):
        meaning(ctx.sql(query))


def test_a_long_condition_takes_no_power_of_its_length(ctx: SessionContext) -> None:
    conditions = " AND ".join(f"(a <> {n} OR b <> {n})" for n in range(10))

    assert meaning(ctx.sql(f"SELECT a FROM t WHERE {conditions}")).calls["or"] == 10
