"""What a lineage does not name has no influence: the engine itself is asked."""

import functools
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest
from datafusion import SessionConfig, SessionContext

from dagster_dfsession.query.flow import SourceColumn
from dagster_dfsession.query.lineage import Lineage, column_lineage
from dagster_dfsession.query.node_rows import SUBQUERY
from dagster_dfsession.query.plan_nodes import flow_in_nodes
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.query.substrait_flow import flow_in_substrait
from tests.tpc.benchmark import QUERIES, Suite, queries, tables

SCALE = 0.01
SOME = (*QUERIES[:22], *QUERIES[22::4])
LONG: tuple[tuple[Suite, int], ...] = (("tpcds", 41), ("tpcds", 66))
"""Expressions of so many operators that only the nodes are read."""


def context(rows: Mapping[str, pa.Table]) -> SessionContext:
    # One partition, so that floats are always added up in one order.
    ctx = SessionContext(SessionConfig().with_target_partitions(1))
    for name, table in rows.items():
        ctx.register_record_batches(name, [table.to_batches()])
    return ctx


@functools.cache
def untouched(suite: Suite) -> SessionContext:
    return context(tables(suite, SCALE))


@functools.cache
def nulls(suite: Suite, name: str, column: str) -> Any:
    table = tables(suite, SCALE)[name]
    return pa.nulls(table.num_rows, table.schema.field(column).type)


def with_only(suite: Suite, kept: frozenset[SourceColumn]) -> SessionContext:
    """Return the tables with NULLs in all columns but those."""

    def blanked(name: str, table: pa.Table) -> pa.Table:
        columns: dict[str, Any] = {
            column: table[column]
            if SourceColumn(name, column) in kept
            else nulls(suite, name, column)
            for column in table.column_names
        }
        return pa.table(columns)

    rows = tables(suite, SCALE)
    return context({name: blanked(name, table) for name, table in rows.items()})


def rows(ctx: SessionContext, query: str) -> list[str]:
    batches = [each.to_pyarrow() for each in ctx.sql(query).execute_stream()]
    # By place: two columns of a result may have one name.
    found = [zip(*(c.to_pylist() for c in b.columns), strict=True) for b in batches]
    return sorted(repr(row) for each in found for row in each)


def values(found: Lineage) -> frozenset[SourceColumn]:
    return frozenset(source for each in found.columns for source in each.sources)


@pytest.mark.parametrize(("suite", "number"), QUERIES)
def test_columns_that_a_lineage_does_not_name_can_be_blanked(
    suite: Suite, number: int
) -> None:
    query, ctx = queries(suite)[number], untouched(suite)
    found = column_lineage(ctx.sql(query))
    assert (found.unknown, found.at_most) == (None, None)

    blanked = with_only(suite, values(found).union(found.influence))

    assert rows(blanked, query) == rows(ctx, query)


def noticed(forget: str) -> tuple[int, int]:
    """Return how many queries give other rows if lineages forget something, of all."""
    changed, asked = 0, 0
    for suite, number in SOME:
        query, ctx = queries(suite)[number], untouched(suite)
        expected = rows(ctx, query)
        found = column_lineage(ctx.sql(query))
        every = values(found).union(found.influence)
        forgotten = {
            "influence": every - values(found),
            "value": frozenset(next(c.sources for c in found.columns if c.sources)),
        }[forget]
        if expected and forgotten:
            asked += 1
            changed += rows(with_only(suite, every - forgotten), query) != expected
    return changed, asked


@pytest.mark.parametrize("forget", ["influence", "value"])
def test_blanking_notices_a_lineage_that_forgets(forget: str) -> None:
    changed, asked = noticed(forget)

    assert asked >= 30
    assert changed >= asked - 3


@pytest.mark.parametrize(
    ("suite", "number"), [each for each in QUERIES if each not in LONG]
)
def test_both_readers_say_the_same(suite: Suite, number: int) -> None:
    planned = Planned(untouched(suite).sql(queries(suite)[number]))

    in_substrait = flow_in_substrait(planned.optimized, planned.text)
    in_nodes = flow_in_nodes(planned.optimized, planned.text)

    if SUBQUERY in planned.text:
        pairs = zip(in_substrait.columns, in_nodes.columns, strict=True)
        assert all(exact <= wide for exact, wide in pairs)
    else:
        assert in_substrait == in_nodes
