"""Where columns come from: what values are made of, what decides over rows."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datafusion import DataFrame, SessionContext, col, lit
from datafusion import functions as f

from dagster_dfsession.errors import QueryError
from dagster_dfsession.query.lineage import Lineage, column_lineage
from dagster_dfsession.query.node_rows import SUBQUERY
from dagster_dfsession.query.plan_nodes import flow_in_nodes
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.query.substrait import substrait_of
from dagster_dfsession.query.substrait_flow import flow_in_substrait
from tests.query.lineages import shown, tables

ONE_TABLE = {
    "SELECT a AS x, b FROM t": "x: t.a; b: t.b",
    "SELECT a + c AS x, 1 AS one FROM t": "x: t.a t.c; one: ",
    "SELECT * FROM u": "a: u.a; d: u.d; e: u.e",
    "SELECT b FROM t WHERE c > 1": "b: t.b | t.c",
    "SELECT CASE WHEN a > 1 THEN b ELSE 'z' END AS x FROM t": "x: t.a t.b",
    "SELECT half(c) AS x FROM t": "x: t.c",
    "SELECT count(*) AS n FROM t": "n: ",
    "SELECT count(*) AS n FROM t WHERE a > 1": "n:  | t.a",
    "SELECT b, sum(a) AS s FROM t GROUP BY b": "b: t.b; s: t.a | t.b",
    "SELECT b FROM t GROUP BY b HAVING max(a) > 1": "b: t.b | t.a t.b",
    "SELECT sum(a) FILTER (WHERE c > 1) AS s FROM t": "s: t.a | t.c",
    "SELECT array_agg(a ORDER BY c) AS s FROM t": "s: t.a | t.c",
    "SELECT DISTINCT b FROM t": "b: t.b | t.b",
    "SELECT DISTINCT ON (b) b, a FROM t ORDER BY b, c": "b: t.b; a: t.a | t.b t.c",
    "SELECT lag(a) OVER (PARTITION BY b ORDER BY c) AS w FROM t": "w: t.a | t.b t.c",
    "SELECT a FROM t QUALIFY rank() OVER (ORDER BY c) = 1": "a: t.a | t.c",
    "SELECT b FROM t ORDER BY c": "b: t.b",
    "SELECT b FROM t ORDER BY c LIMIT 1": "b: t.b | t.c",
    "SELECT b FROM (SELECT * FROM t ORDER BY c LIMIT 1)": "b: t.b | t.c",
    "SELECT s['p'] AS x, m['k'] AS y, l[1] AS z FROM t": "x: t.s; y: t.m; z: t.l",
    "SELECT x + 1 AS y FROM (SELECT a * c AS x, b FROM t)": "y: t.a t.c",
    "WITH w AS (SELECT a AS x FROM t) SELECT x FROM w": "x: t.a",
    "SELECT va, vb FROM v": "va: t.a; vb: t.b | t.c",
    "SELECT * FROM (VALUES (1, 2), (3, 4)) AS x (p, q)": "p: ; q: ",
    "SELECT a FROM t WHERE 1 = 0": "a: ",
    "SELECT a, b, sum(c) AS s, grouping(b) AS g FROM t GROUP BY ROLLUP (a, b)": (
        "a: t.a; b: t.b; s: t.c; g:  | t.a t.b"
    ),
}
TWO_TABLES = {
    "SELECT b, d FROM t JOIN u ON t.a = u.a": "b: t.b; d: u.d | t.a u.a",
    "SELECT b, d FROM t JOIN u ON t.a < u.e": "b: t.b; d: u.d | t.a u.e",
    "SELECT b, d FROM t CROSS JOIN u": "b: t.b; d: u.d",
    "SELECT b, d FROM t JOIN u USING (a)": "b: t.b; d: u.d | t.a u.a",
    "SELECT b FROM t LEFT SEMI JOIN u ON t.a = u.a": "b: t.b | t.a u.a",
    "SELECT x.b, y.b AS yb FROM t x JOIN t y ON x.a = y.a": "b: t.b; yb: t.b | t.a",
    "SELECT a, b FROM t UNION ALL SELECT e, d FROM u": "a: t.a u.e; b: t.b u.d",
    "SELECT b FROM t UNION SELECT d FROM u": "b: t.b u.d | t.b u.d",
    "SELECT a FROM t INTERSECT SELECT e FROM u": "a: t.a | t.a u.e",
    "SELECT a FROM t EXCEPT SELECT e FROM u": "a: t.a | t.a u.e",
    "SELECT b FROM t WHERE a IN (SELECT e FROM u)": "b: t.b | t.a u.e",
    "SELECT b FROM t WHERE a NOT IN (SELECT e FROM u)": "b: t.b | t.a u.e",
    "SELECT b FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a)": (
        "b: t.b | t.a u.a"
    ),
    "SELECT b FROM t WHERE c > 1 OR a IN (SELECT e FROM u)": "b: t.b | t.a t.c u.e",
    "SELECT b, (SELECT max(e) FROM u WHERE u.a = t.a) AS m FROM t": (
        "b: t.b; m: u.e | t.a u.a"
    ),
    "SELECT b, peak FROM t, LATERAL (SELECT max(e) AS peak FROM u WHERE u.a = t.a)": (
        "b: t.b; peak: u.e | t.a u.a"
    ),
    "SELECT b, y FROM t JOIN (VALUES (1, 'p')) AS x (k, y) ON a = k": "b: t.b; y:  | t.a",
}
SCALAR_SUBQUERIES = {
    "SELECT a, (SELECT max(e) FROM u) AS m FROM t": "a: t.a; m: u.e",
    "SELECT a FROM t WHERE c > (SELECT avg(e) FROM u WHERE d <> 'q')": (
        "a: t.a | t.c u.d u.e"
    ),
}
NOT_IN_SUBSTRAIT = {
    "SELECT b, d FROM t LEFT JOIN u USING (a)": "b: t.b; d: u.d | t.a u.a",
    "SELECT t.b AS x, v.vb AS y FROM t FULL JOIN (SELECT va AS a, vb FROM v) v USING (a)": (
        "x: t.b; y: t.b | t.a t.c"
    ),
    "SELECT a, unnest(l) AS x FROM t": "a: t.a; x: t.l | t.l",
    "SELECT a FROM (SELECT a, unnest(l) AS x FROM t)": "a: t.a | t.l",
    "SELECT unnest(l) AS x, unnest(s) FROM t": (
        "x: t.l; t.s.p: t.s; t.s.q: t.s | t.l t.s"
    ),
    "SELECT unnest(s) FROM t": "t.s.p: t.s; t.s.q: t.s | t.s",
    "SELECT sum(a) FILTER (WHERE c > 1) OVER (PARTITION BY b) AS w FROM t": (
        "w: t.a | t.b t.c"
    ),
    "SELECT sum(a) OVER (ORDER BY c GROUPS 1 PRECEDING) AS w FROM t": "w: t.a | t.c",
    "SELECT row_number() OVER (ORDER BY c GROUPS 1 PRECEDING) + a AS w FROM t": (
        "w: t.a | t.c"
    ),
    "SELECT sum(a) OVER (ORDER BY c GROUPS 1 PRECEDING) + 1 AS w, b FROM t": (
        "w: t.a; b: t.b | t.c"
    ),
    "SELECT sum(c) AS s, unnest([max(a) + 1]) AS x FROM t": "s: t.c; x: t.a | t.a",
    "SELECT b SIMILAR TO 'x.*' AS x FROM t WHERE a > 1": "x: t.b | t.a",
    "WITH RECURSIVE r AS (SELECT a FROM t UNION ALL SELECT u.e FROM r JOIN u ON "
    "u.a = r.a WHERE r.a < 3) SELECT a AS x FROM r": "x: t.a u.e | t.a u.a u.e",
}


@pytest.fixture(scope="module")
def ctx() -> SessionContext:
    return tables()


@pytest.mark.parametrize("query", [*ONE_TABLE, *TWO_TABLES])
def test_the_lineage_of_a_query_is_known_to_both_readers(
    ctx: SessionContext, query: str
) -> None:
    planned = Planned(ctx.sql(query))
    expected = (ONE_TABLE | TWO_TABLES)[query]

    assert shown(column_lineage(planned)) == expected
    assert flow_in_substrait(planned.optimized, planned.text) == flow_in_nodes(
        planned.optimized, planned.text
    )


@pytest.mark.parametrize("query", SCALAR_SUBQUERIES)
def test_a_scalar_subquery_gives_a_value_and_what_it_filters_by_is_influence(
    ctx: SessionContext, query: str
) -> None:
    assert shown(column_lineage(ctx.sql(query))) == SCALAR_SUBQUERIES[query]


@pytest.mark.parametrize("query", NOT_IN_SUBSTRAIT)
def test_what_substrait_has_no_word_for_is_read_from_the_nodes(
    ctx: SessionContext, query: str
) -> None:
    found = column_lineage(ctx.sql(query))

    assert shown(found) == NOT_IN_SUBSTRAIT[query]
    assert (found.at_most, found.unknown) == (None, None)


def frames(ctx: SessionContext) -> dict[str, DataFrame]:
    t, u = ctx.table("t"), ctx.table("u")
    sums = t.aggregate([col("b")], [f.sum(col("a")).alias("s")])
    ranked = f.row_number(partition_by=[col("b")], order_by=[col("c")]).alias("r")
    return {
        "b: t.b; x: t.a t.c | t.c": t.filter(col("c") > lit(1)).select(
            col("b"), (col("a") + col("c")).alias("x")
        ),
        "b: t.b; s: t.a | t.b": sums,
        "b: t.b; d: u.d | t.a u.a": t.join(u, on="a", how="left").select("b", "d"),
        "b: t.b; r:  | t.b t.c": t.select(col("b"), ranked),
        "a: t.a u.e": t.select("a").union(u.select(col("e").alias("a"))),
        "a: t.a | t.c": t.sort(col("c")).limit(1).select("a"),
        "a: t.a; l: t.l | t.l": t.select("a", "l").unnest_columns("l"),
        "l: t.l | t.l": t.unnest_columns("l").filter(col("l") > lit(1)).select("l"),
        "a: u.a; d: u.d; e: ": u.with_column("e", lit(0)),
    }


def test_the_lineage_of_frames_composed_by_calls(ctx: SessionContext) -> None:
    made = frames(ctx)

    found = {expected: shown(column_lineage(frame)) for expected, frame in made.items()}

    assert found == {expected: expected for expected in made}


def test_a_frame_over_rows_in_memory_names_them() -> None:
    ctx = SessionContext()
    frame = ctx.from_arrow(pa.table({"k": [1]}), name="run_1a2b__limits")

    found = column_lineage(
        frame.select("k"), {"run_1a2b__limits": "<limits>"}.__getitem__
    )

    assert shown(found) == "k: <limits>.k"


def test_a_table_of_a_schema_is_named_as_a_plan_spells_it() -> None:
    ctx = SessionContext()
    ctx.sql("CREATE SCHEMA raw")
    ctx.sql("CREATE TABLE raw.flights AS SELECT 1 AS k, [1] AS l")

    for query in ("SELECT k FROM raw.flights", "SELECT k, unnest(l) FROM raw.flights"):
        assert shown(column_lineage(ctx.sql(query))).startswith("k: raw.flights.k")


def test_a_column_whose_name_is_in_anothers_is_not_taken_for_it() -> None:
    ctx = SessionContext()
    ctx.from_pydict({"a": [1], "ab": [2], "a b": [3], "t.a": [4], "l": [[1]]}, name="t")

    found = column_lineage(ctx.sql('SELECT ab + "a b" AS x, unnest(l) AS y FROM t'))

    assert shown(found) == "x: t.a b t.ab; y: t.l | t.l"


@pytest.mark.parametrize("count", [31, 100, 400])
def test_a_long_expression_is_read_in_no_time(ctx: SessionContext, count: int) -> None:
    condition = " OR ".join(f"a + {n} = c" for n in range(count))

    planned = Planned(ctx.sql(f"SELECT b FROM t WHERE {condition}"))

    assert shown(column_lineage(planned)) == "b: t.b | t.a t.c"
    with pytest.raises(QueryError, match="more than 30 operators"):
        substrait_of(planned.optimized, planned.text)


def test_a_filter_that_a_scan_applies_itself_has_influence(
    ctx: SessionContext, tmp_path: Path
) -> None:
    for part in (1, 2):
        tmp_path.joinpath(f"p={part}").mkdir()
        pq.write_table(pa.table({"k": [part]}), tmp_path / f"p={part}" / "0.parquet")
    ctx.sql(
        "CREATE EXTERNAL TABLE parts (k BIGINT, p INT) STORED AS PARQUET "
        f"PARTITIONED BY (p) LOCATION '{tmp_path}'"
    )
    query = "SELECT k FROM parts WHERE p = 1"
    assert "full_filters=[parts.p" in Planned(ctx.sql(query)).text

    assert shown(column_lineage(ctx.sql(query))) == "k: parts.k | parts.p"
    opened = column_lineage(ctx.sql(query.replace("k", "p, unnest([k]) AS x", 1)))
    assert shown(opened) == "p: parts.p; x: parts.k | parts.k parts.p"
    unread = column_lineage(ctx.sql(f"SELECT unnest([k]) AS x FROM ({query})"))
    assert unread.unknown == "a scan filters by columns that it does not show"


def test_a_plan_of_many_levels_is_read(ctx: SessionContext) -> None:
    frame = ctx.table("t").select("a", "b")
    for level in range(60):
        frame = frame.filter(col("a") > lit(level)).distinct().limit(1000 - level)

    assert shown(column_lineage(frame)) == "a: t.a; b: t.b | t.a t.b"


def test_a_subquery_that_hides_is_said_to_read_all_there_is(
    ctx: SessionContext,
) -> None:
    query = "SELECT b, c > (SELECT max(e) FROM u) AS x FROM t LEFT JOIN u USING (a)"
    planned = Planned(ctx.sql(query))
    assert SUBQUERY in planned.text

    found = column_lineage(planned)

    assert found.at_most is not None
    assert shown(found).startswith("b: t.b; x: t.a t.b t.c u.a u.e")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (
            "EXPLAIN SELECT a FROM t",
            "the plan has a part that is not known here: Explain",
        ),
        ("DESCRIBE t", "the plan has a part that is not known here: DescribeTable"),
    ],
)
def test_what_is_not_known_is_said_with_its_reason(
    ctx: SessionContext, query: str, reason: str
) -> None:
    assert column_lineage(ctx.sql(query)) == Lineage(unknown=reason)
