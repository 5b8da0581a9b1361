"""The engine says which tables a query names, before there are any."""

import pytest

from dagster_dfsession import QueryError, SessionProfile
from dagster_dfsession.profile.sql import SqlProfile
from dagster_dfsession.query.named_tables import named_tables
from tests.tpc.benchmark import queries, tables

ANY = SessionProfile(name="any")


def names(sql: str, profile: SessionProfile = ANY) -> list[str]:
    return sorted(".".join(each) for each in named_tables(sql, profile))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", []),
        ("SELECT * FROM a, b AS c JOIN raw.d USING (k)", ["public.a", "public.b", "raw.d"]),
        ("WITH a AS (SELECT * FROM b) SELECT * FROM a", ["public.b"]),
        ("SELECT (SELECT max(x) FROM a) FROM b WHERE EXISTS (SELECT 1 FROM c)", ["public.a", "public.b", "public.c"]),
        ("SELECT * FROM a UNION ALL SELECT * FROM b", ["public.a", "public.b"]),
        ('SELECT * FROM "raw/us"."Flights"', ["raw/us.Flights"]),
        ("SELECT * FROM Flights", ["public.flights"]),
        ("SELECT * FROM lake.raw.a", ["raw.a"]),
        ("SELECT no_such_function(x) FROM a", ["public.a"]),
        ("SELECT 'FROM b' FROM a -- FROM c", ["public.a"]),
        ("SELECT * FROM range(1, 3), a", ["public.a"]),
        ("SELECT * FROM range", ["public.range"]),
        ("SELECT * FROM information_schema.tables, dfsession.settings", []),
        ("SELECT * FROM a WHERE x = $x", ["public.a"]),
    ],
)  # fmt: skip
def test_tables_are_named_wherever_they_stand(sql: str, expected: list[str]) -> None:
    assert names(sql) == expected


def test_the_dialect_and_the_folding_of_the_profile_count() -> None:
    as_written = SessionProfile(name="x", sql=SqlProfile(ident_normalization="off"))
    mysql = SessionProfile(name="x", sql=SqlProfile(dialect="mysql"))

    assert names("SELECT * FROM Flights", as_written) == ["public.Flights"]
    assert names("SELECT * FROM `Flights`", mysql) == ["public.Flights"]


@pytest.mark.parametrize(
    "sql", ["SELECT a FRO b", "", "SELECT 1; SELECT 2", "SELECT 'x"]
)
def test_what_is_no_statement_is_refused(sql: str) -> None:
    with pytest.raises(QueryError) as refused:
        named_tables(sql, ANY)

    assert refused.value.kind == "syntax"


@pytest.mark.parametrize("suite", ["tpch", "tpcds"])
def test_a_benchmark_names_its_own_tables_and_no_others(suite: str) -> None:
    there = set(tables(suite, 0))

    for name, sql in queries(suite).items():
        found = {table for _, table in named_tables(sql, ANY)}
        assert found, name
        assert found <= there, name
