"""How columns flow through a plan, read from the engine's own nodes.

A node names its columns; which of them an expression takes is read off its text, in
which the engine writes every column by the name that the node below has for it. This
reads what Substrait has no word for: `USING` of outer joins, `unnest`, recursion.
"""

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from datafusion.expr import (
    Aggregate,
    Distinct,
    EmptyRelation,
    Filter,
    Join,
    Limit,
    Projection,
    RecursiveQuery,
    Repartition,
    Sort,
    SubqueryAlias,
    TableScan,
    Union,
    Unnest,
    Values,
    WindowExpr,
)
from datafusion.plan import LogicalPlan

from dagster_dfsession.errors import QueryError
from dagster_dfsession.query.flow import NOTHING, Flow, JoinSides, Sources, united
from dagster_dfsession.query.node_rows import SUBQUERY, Rows, names_of, text_of
from dagster_dfsession.query.scans import SCAN, variant_of

RECURSION = "RecursiveQuery:"
SCANNED = re.compile(r"TableScan: (.+?) projection=\[(.*?)\](?:,|$)", re.MULTILINE)
SIDES: Mapping[str, JoinSides] = MappingProxyType(
    {
        "Inner": "both",
        "Left": "both",
        "Right": "both",
        "Full": "both",
        "LeftSemi": "left",
        "LeftAnti": "left",
        "RightSemi": "right",
        "RightAnti": "right",
        "LeftMark": "left and mark",
        "RightMark": "right and mark",
    }
)


def flow_in_nodes(plan: LogicalPlan, text: str) -> Flow:
    """Return how columns flow to the columns of a plan.

    What a subquery inside an expression reads cannot be told from what else the plan
    reads: such an expression is said to take all of it. That is too much, and never
    too little.

    Args:
        plan: Optimized, over named tables.
        text: The same as `display_indent` shows it.

    Raises:
        QueryError: There is a node that is not known here.
    """
    return _flow(plan, _Above(everything=_hidden_in(text), recursive={}, ordered=False))


def _hidden_in(text: str) -> Sources:
    """Return all columns that a plan with subqueries in expressions may read there."""
    if SUBQUERY not in text:
        return NOTHING
    scans = SCANNED.findall(text)
    if len(scans) != len(SCAN.findall(text)) or RECURSION in text:
        raise QueryError("the plan does not show what a subquery of it reads")
    return NOTHING.union(
        *(
            each
            for table, names in scans
            for each in Flow.of_table(table, names.split(", ")).columns
        )
    )


class _Above(NamedTuple):
    """What a node cannot say of itself.

    Attributes:
        everything: That a subquery in an expression may read.
        recursive: Name of a query that reads itself -> what flows to its columns.
        ordered: Whether what is above depends on the order of its rows.
    """

    everything: Sources
    recursive: Mapping[str, Flow]
    ordered: bool


def _flow(plan: LogicalPlan, above: _Above) -> Flow:
    """Return how columns flow to the columns of a node."""
    return _of_node(variant_of(plan), plan, above)


def _below(plan: LogicalPlan, above: _Above, *, ordered: bool = True) -> Rows:
    """Return what a node is given by the one below it."""
    (below,) = plan.inputs()
    return Rows(
        names_of(below), _flow(below, above._replace(ordered=ordered)), above.everything
    )


@functools.singledispatch
def _of_node(_: object, plan: LogicalPlan, __: _Above) -> Flow:
    kind = re.split(r"\W", plan.display(), maxsplit=1)[0]
    raise QueryError(f"the plan has a part that is not known here: {kind}")


@_of_node.register(TableScan)
def _scan(node: TableScan, plan: LogicalPlan, above: _Above) -> Flow:
    table, places = node.table_name(), node.projection()
    if table in above.recursive:
        flow = above.recursive[table]
        return flow.having(flow.at(place) for place, _ in places)
    flow = Flow.of_table(table, [name for _, name in places])
    rows = Rows(names_of(plan), flow, above.everything)
    filters = [text_of(each) for each in node.filters()]
    if any(f"{table}." in rows.named_in(each)[1] for each in filters):
        raise QueryError("a scan filters by columns that it does not show")
    return flow.influenced_by(*map(rows.of, filters))


@_of_node.register(EmptyRelation)
@_of_node.register(Values)
def _constant(_: object, plan: LogicalPlan, __: _Above) -> Flow:
    return Flow((NOTHING,) * len(names_of(plan)))


@_of_node.register(SubqueryAlias)
def _alias(_: SubqueryAlias, plan: LogicalPlan, above: _Above) -> Flow:
    return _below(plan, above, ordered=above.ordered).flow


@_of_node.register(Limit)
@_of_node.register(Repartition)
def _same(_: object, plan: LogicalPlan, above: _Above) -> Flow:
    return _below(plan, above).flow


@_of_node.register(Filter)
def _filter(node: Filter, plan: LogicalPlan, above: _Above) -> Flow:
    rows = _below(plan, above, ordered=above.ordered)
    return rows.flow.influenced_by(rows.of(text_of(node.predicate())))


@_of_node.register(Sort)
def _sort(node: Sort, plan: LogicalPlan, above: _Above) -> Flow:
    rows = _below(plan, above)
    decides = above.ordered or node.get_fetch_val() is not None
    keys = node.sort_exprs() if decides else []
    return rows.flow.influenced_by(*(rows.of(text_of(key.expr())) for key in keys))


@_of_node.register(Distinct)
def _distinct(_: Distinct, plan: LogicalPlan, above: _Above) -> Flow:
    flow = _below(plan, above).flow
    return flow.influenced_by(*flow.columns)


@_of_node.register(Projection)
def _projection(node: Projection, plan: LogicalPlan, above: _Above) -> Flow:
    rows = _below(plan, above, ordered=above.ordered)
    return rows.flow.having(rows.of(text_of(each)) for each in node.projections())


@_of_node.register(WindowExpr)
def _window(node: WindowExpr, plan: LogicalPlan, above: _Above) -> Flow:
    rows = _below(plan, above)
    return rows.with_calls(rows.flow.columns, node.get_window_expr())


@_of_node.register(Aggregate)
def _aggregate(node: Aggregate, plan: LogicalPlan, above: _Above) -> Flow:
    rows, calls = _below(plan, above), node.aggregate_exprs()
    keys = [text_of(each) for each in node.group_by_exprs()]
    names = names_of(plan)
    named = names[: len(names) - len(calls)]
    # Of grouping sets there is one expression; the columns are called as its parts.
    columns = map(rows.of, keys if len(keys) == len(named) else named)
    return rows.with_calls(columns, calls).influenced_by(*map(rows.of, keys))


@_of_node.register(Unnest)
def _unnest(_: Unnest, plan: LogicalPlan, above: _Above) -> Flow:
    rows = _below(plan, above)
    opened, _left = rows.named_in(plan.display())
    columns = []
    for name in names_of(plan):
        # What is opened is `t.l`, and gives `t.l,depth=1)`, `t.l.field` or `l`.
        fits = [
            each
            for each in opened
            if name.startswith((each.removesuffix(")") + ",depth=", f"{each}."))
            or each.endswith(f".{name}")
        ]
        found = [name] if name in rows.names else fits or opened
        columns.append(NOTHING.union(*map(rows.of, found)))
    return rows.flow.having(columns).influenced_by(*map(rows.of, opened))


@_of_node.register(Join)
def _join(node: Join, plan: LogicalPlan, above: _Above) -> Flow:
    sides = SIDES.get(str(node.join_type()))
    if sides is None:
        raise QueryError(f"a join of the kind {node.join_type()} is not known here")
    inner = above._replace(ordered=True)
    left, right = (_flow(each, inner) for each in plan.inputs())
    names = [name for each in plan.inputs() for name in names_of(each)]
    rows = Rows(names, left.joined(right, NOTHING), above.everything)
    pairs = [each for pair in node.on() for each in pair]
    condition = [] if node.filter() is None else [node.filter()]
    on = NOTHING.union(*(rows.of(text_of(each)) for each in (*pairs, *condition)))
    return left.joined(right, on, sides)


@_of_node.register(Union)
def _union(_: Union, plan: LogicalPlan, above: _Above) -> Flow:
    inner = above._replace(ordered=True)
    return united([_flow(each, inner) for each in plan.inputs()])


@_of_node.register(RecursiveQuery)
def _recursion(node: RecursiveQuery, plan: LogicalPlan, above: _Above) -> Flow:
    first, again = plan.inputs()
    inner = above._replace(ordered=True)
    flow = _flow(first, inner)
    while True:
        known = {**above.recursive, node.name(): flow}
        longer = united([flow, _flow(again, inner._replace(recursive=known))])
        if longer == flow:
            return flow if not node.is_distinct() else flow.influenced_by(*flow.columns)
        flow = longer
