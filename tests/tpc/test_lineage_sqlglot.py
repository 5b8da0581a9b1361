"""A second opinion: sqlglot reads the text of a query, we read the engine's plan."""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from sqlglot import exp, parse_one
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from dagster_dfsession.query.flow import SourceColumn
from dagster_dfsession.query.lineage import column_lineage
from tests.tpc.benchmark import QUERIES, Suite, queries, tables
from tests.tpc.test_lineage_oracle import untouched

RANKED, SHARED, GROUPED = "rank() OVER", "an aggregate OVER", "grouping()"
"""Sqlglot takes what a window is divided and sorted by, and the columns that grouping()
is asked about, for values. Here they have influence: they decide over rows."""
DIFFERENT: Mapping[tuple[str, int], Mapping[str, str]] = MappingProxyType(
    {
        ("tpcds", 12): {"revenueratio": SHARED},
        ("tpcds", 20): {"revenueratio": SHARED},
        ("tpcds", 36): {"rank_within_parent": RANKED},
        ("tpcds", 44): {"rnk": RANKED},
        ("tpcds", 47): {"avg_monthly_sales": SHARED},
        ("tpcds", 49): {"return_rank": RANKED, "currency_rank": RANKED},
        ("tpcds", 51): {
            "web_sales": SHARED,
            "store_sales": SHARED,
            "web_cumulative": SHARED,
            "store_cumulative": SHARED,
        },
        ("tpcds", 53): {"avg_quarterly_sales": SHARED},
        ("tpcds", 57): {"avg_monthly_sales": SHARED},
        ("tpcds", 63): {"avg_monthly_sales": SHARED},
        ("tpcds", 67): {"rk": RANKED},
        ("tpcds", 70): {"lochierarchy": GROUPED, "rank_within_parent": RANKED},
        ("tpcds", 86): {"lochierarchy": GROUPED, "rank_within_parent": RANKED},
        ("tpcds", 89): {"avg_monthly_sales": SHARED},
        ("tpcds", 98): {"revenueratio": SHARED},
    }
)


@functools.cache
def schema(suite: Suite) -> dict[str, object]:
    return {
        name: dict.fromkeys(table.column_names, "VARCHAR")
        for name, table in tables(suite, 0.01).items()
    }


def sources(name: str, query: Any, scope: Scope | None) -> frozenset[SourceColumn]:
    """Return what a column comes from in the opinion of sqlglot."""
    found = lineage(name, query, {}, scope=scope, dialect="duckdb", copy=False)
    return frozenset(
        SourceColumn(node.expression.name, node.name.rpartition(".")[2].strip('"'))
        for node in found.walk()
        if isinstance(node.expression, exp.Table)
    )


@pytest.mark.parametrize(("suite", "number"), QUERIES)
def test_sqlglot_agrees_or_the_difference_is_known(suite: Suite, number: int) -> None:
    text = queries(suite)[number]
    parsed = parse_one(text, dialect="duckdb")
    query: Any = qualify(parsed, schema=schema(suite), dialect="duckdb")
    scope = build_scope(query)
    names = [each.alias_or_name for each in query.selects]
    mine = column_lineage(untouched(suite).sql(text))
    assert len(names) == len(mine.columns)

    different = {}
    for name, column in zip(names, mine.columns, strict=True):
        theirs = sources(name, query, scope)
        if theirs != frozenset(column.sources):
            different[name] = theirs.difference(column.sources)
            assert theirs >= frozenset(column.sources)

    assert different.keys() == DIFFERENT.get((suite, number), {}).keys()
    assert all(more <= frozenset(mine.influence) for more in different.values())
