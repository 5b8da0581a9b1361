"""What a plan means, however it is put: where names stand, where columns lie.

Two plans of one meaning give the same rows. A meaning is made bottom up from the
Substrait form of a plan. Every column is called by how it came about, and every
relation by what it does to its rows, whatever columns it hands on. So it makes no
difference whether an aggregate names its columns or a projection above it, or in which
order a side of a join has its columns.
"""

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from datafusion.plan import LogicalPlan
from substrait.algebra_pb2 import (
    AggregateRel,
    CrossRel,
    FetchRel,
    FilterRel,
    JoinRel,
    ProjectRel,
    ReadRel,
    Rel,
    SetRel,
    SortRel,
)
from substrait.plan_pb2 import Plan

from dagster_dfsession.errors import QueryError
from dagster_dfsession.query.substrait import substrait_plan
from dagster_dfsession.query.substrait_flow import SIDES, top_names
from dagster_dfsession.query.terms import At, Rows, Term, fields_of, term, term_of


class Meaning(NamedTuple):
    """What a plan means.

    Attributes:
        rows: Which rows there are, in which order.
        columns: What each column holds, in order.
        calls: How often each function is called: a volatile one that is called twice
            has two values.
    """

    rows: Term
    columns: tuple[Term, ...]
    calls: Mapping[str, int]


def meaning_of(
    plan: LogicalPlan, text: str, named: Callable[[str], str] = str
) -> Meaning:
    """Return what a plan means.

    Args:
        plan: Over named tables.
        text: The same as `display_indent` shows it.
        named: What a table of the plan is to be called.

    Raises:
        QueryError: Substrait has no word for some part of it, or this module has not.

    Examples:
        >>> from datafusion import SessionContext
        >>> ctx = SessionContext()
        >>> def meant(query):
        ...     plan = ctx.sql(query).optimized_logical_plan()
        ...     return meaning_of(plan, plan.display_indent())
        >>> rows = "FROM (VALUES (1, 2), (3, 4)) AS t(a, b)"
        >>> one = meant(f"SELECT a - b AS c, a {rows} WHERE a > b AND b <> 2")
        >>> one == meant(f"SELECT a - b, a AS x {rows} WHERE b <> 2 AND a > b")
        True
        >>> one == meant(f"SELECT b - a, a AS x {rows} WHERE b <> 2 AND a > b")
        False
    """
    found = substrait_plan(plan, text)
    calls: Counter[str] = Counter()
    at = At((), _functions(found), calls, named, _relation)
    made = _relation(found.relations[0].root.input, at)
    return Meaning(made.rows, made.columns, dict(calls))


def _functions(plan: Plan) -> dict[int, str]:
    declared = (each.extension_function for each in plan.extensions)
    return {each.function_anchor: each.name.partition(":")[0] for each in declared}


def _relation(relation: Rel, at: At) -> Rows:
    kind = relation.WhichOneof("rel_type")
    if kind is None:
        raise QueryError("Substrait has a relation of no kind")
    found = getattr(relation, kind)
    made = _rows(found, at)
    if found.common.WhichOneof("emit_kind") != "emit":
        return made
    places = found.common.emit.output_mapping
    return made._replace(columns=tuple(made.columns[each] for each in places))


@functools.singledispatch
def _rows(found: Any, _: At) -> Rows:
    """Return the rows and the columns of a relation."""
    raise QueryError(f"Substrait has a {type(found).__name__} that is not known here")


@_rows.register(ReadRel)
def _read(read: Any, at: At) -> Rows:
    kind, names = read.WhichOneof("read_type"), top_names(read)
    if kind == "named_table":
        rows = term("table", at.named(".".join(read.named_table.names)))
        columns = tuple(term("column", rows, name) for name in names)
    elif kind == "virtual_table":
        rows = term("values", term_of(read.virtual_table, at))
        columns = tuple(term("column", rows, place) for place, _ in enumerate(names))
    else:
        raise QueryError(f"Substrait has a read of the kind {kind}")
    whole = Rows(rows, columns)
    for condition in (read.filter, read.best_effort_filter):
        if condition.WhichOneof("rex_type") is not None:
            whole = _kept(whole, condition, at)
    if not read.HasField("projection"):
        return whole
    items = read.projection.select.struct_items
    return whole._replace(columns=tuple(columns[each.field] for each in items))


@_rows.register(ProjectRel)
def _project(project: Any, at: At) -> Rows:
    below = _relation(project.input, at)
    made = (term_of(each, at.over(below)) for each in project.expressions)
    return below._replace(columns=(*below.columns, *made))


@_rows.register(FilterRel)
def _filter(found: Any, at: At) -> Rows:
    return _kept(_relation(found.input, at), found.condition, at)


def _kept(below: Rows, condition: Any, at: At) -> Rows:
    kept = term_of(condition, at.over(below))
    return below._replace(rows=term("filter", below.rows, kept))


@_rows.register(SortRel)
def _sort(sort: Any, at: At) -> Rows:
    below = _relation(sort.input, at)
    keys = [term_of(each, at.over(below)) for each in sort.sorts]
    return below._replace(rows=term("sort", below.rows, keys))


@_rows.register(FetchRel)
def _fetch(fetch: Any, at: At) -> Rows:
    below = _relation(fetch.input, at)
    bounds = fields_of(fetch, at.over(below), besides={"input", "common"})
    return below._replace(rows=term("fetch", below.rows, bounds))


@_rows.register(AggregateRel)
def _aggregate(aggregate: Any, at: At) -> Rows:
    below = _relation(aggregate.input, at)
    keys = [term_of(each, at.over(below)) for each in aggregate.grouping_expressions]
    sets = [
        sorted(keys[place] for place in each.expression_references)
        for each in aggregate.groupings
    ]
    rows = term("aggregate", below.rows, sets)
    # The engine lists the keys of every grouping set, one set after the other.
    own = [term("key", rows, each) for each in dict.fromkeys(keys)]
    number_of_set = [term("set", rows)] if len(sets) > 1 else []
    values = [term_of(each, at.over(below)) for each in aggregate.measures]
    measured = [term("measure", rows, each) for each in values]
    return Rows(rows, (*own, *number_of_set, *measured))


@_rows.register(JoinRel)
def _join(join: Any, at: At) -> Rows:
    if join.type not in SIDES:
        kind = JoinRel.JoinType.Name(join.type)
        raise QueryError(f"Substrait has a {kind} that is not known here")
    left, right = _sides(join, at)
    pairs = Rows(term("pairs", left.rows, right.rows), (*left.columns, *right.columns))
    on = [
        term_of(each, at.over(pairs))
        for each in (join.expression, join.post_join_filter)
    ]
    rows = term("join", join.type, pairs.rows, on)
    mark = term("mark", rows)
    kept = {
        "both": pairs.columns,
        "left": left.columns,
        "right": right.columns,
        "left and mark": (*left.columns, mark),
        "right and mark": (*right.columns, mark),
    }[SIDES[join.type]]
    # An outer join makes NULLs of the values that a side has none for.
    return Rows(rows, tuple(term("joined", rows, each) for each in kept))


@_rows.register(CrossRel)
def _cross(cross: Any, at: At) -> Rows:
    left, right = _sides(cross, at)
    rows = term("cross", left.rows, right.rows)
    return Rows(rows, (*left.columns, *right.columns))


def _sides(join: Any, at: At) -> tuple[Rows, Rows]:
    """Return both sides; a table that is on both has its columns told apart."""
    left, right = _relation(join.left, at), _relation(join.right, at)
    return (
        left._replace(columns=tuple(term("left", each) for each in left.columns)),
        right._replace(columns=tuple(term("right", each) for each in right.columns)),
    )


@_rows.register(SetRel)
def _set(found: Any, at: At) -> Rows:
    parts = [_relation(each, at) for each in found.inputs]
    rows = term("set", found.op, parts)
    places = range(len(parts[0].columns))
    return Rows(rows, tuple(term("united", rows, place) for place in places))
