"""How columns flow through a plan, read from its Substrait form.

Substrait says by place which column an expression takes. The engine has no Substrait
for every plan: what it refuses, `query/plan_nodes.py` reads.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from datafusion.plan import LogicalPlan
from google.protobuf.message import Message
from substrait.algebra_pb2 import (
    AggregateRel,
    CrossRel,
    Expression,
    FetchRel,
    FilterRel,
    JoinRel,
    ProjectRel,
    ReadRel,
    Rel,
    SetRel,
    SortRel,
)
from substrait.type_pb2 import Type

from dagster_dfsession.errors import QueryError
from dagster_dfsession.query.flow import NOTHING, Flow, JoinSides, Sources, united
from dagster_dfsession.query.substrait import substrait_of

SIDES: Mapping[int, JoinSides] = MappingProxyType(
    {
        JoinRel.JOIN_TYPE_INNER: "both",
        JoinRel.JOIN_TYPE_OUTER: "both",
        JoinRel.JOIN_TYPE_LEFT: "both",
        JoinRel.JOIN_TYPE_RIGHT: "both",
        JoinRel.JOIN_TYPE_LEFT_SEMI: "left",
        JoinRel.JOIN_TYPE_LEFT_ANTI: "left",
        JoinRel.JOIN_TYPE_RIGHT_SEMI: "right",
        JoinRel.JOIN_TYPE_RIGHT_ANTI: "right",
        JoinRel.JOIN_TYPE_LEFT_MARK: "left and mark",
        JoinRel.JOIN_TYPE_RIGHT_MARK: "right and mark",
    }
)
SCOPED = frozenset({"lambda", "lambda_invocation", "dynamic_parameter"})
"""Expressions with names of their own, which no plan of this engine has had yet."""


def flow_in_substrait(plan: LogicalPlan, text: str) -> Flow:
    """Return how columns flow to the columns of a plan.

    Raises:
        QueryError: As `substrait_of`; or there is a part that is not known here.
    """
    return _relation(substrait_of(plan, text), _Above(outer=(), ordered=False))


class _Above(NamedTuple):
    """What a relation cannot say of itself.

    Attributes:
        outer: The columns around the subquery that it is in, the nearest last.
        ordered: Whether what is above depends on the order of its rows.
    """

    outer: tuple[Flow, ...]
    ordered: bool


class _Scope(NamedTuple):
    """What expressions may name: the columns below, and those around a subquery."""

    flow: Flow
    outer: tuple[Flow, ...]


class _Made(NamedTuple):
    """What an expression takes its value from, and what has influence on it."""

    value: Sources
    influence: Sources


def _relation(relation: Rel, above: _Above) -> Flow:
    kind = relation.WhichOneof("rel_type")
    return _flow(None if kind is None else getattr(relation, kind), above)


def _scope(below: Rel, above: _Above, *, ordered: bool = True) -> _Scope:
    return _Scope(_relation(below, above._replace(ordered=ordered)), above.outer)


@functools.singledispatch
def _flow(found: object, _: _Above) -> Flow:
    """Return the flow to the columns of a relation."""
    raise QueryError(f"Substrait has a {type(found).__name__} that is not known here")


@_flow.register(ReadRel)
def _read(read: ReadRel, above: _Above) -> Flow:
    names = top_names(read)
    kind = read.WhichOneof("read_type")
    if kind == "virtual_table":
        whole = Flow((NOTHING,) * len(names))
    elif kind == "named_table":
        whole = Flow.of_table(".".join(read.named_table.names), names)
    else:
        raise QueryError(f"Substrait has a read of the kind {kind}")
    filters = [read.filter, read.best_effort_filter]
    whole = whole.influenced_by(_decisive(filters, _Scope(whole, above.outer)))
    if not read.HasField("projection"):
        return whole
    items = read.projection.select.struct_items
    return whole.having(whole.at(item.field) for item in items)


@_flow.register(ProjectRel)
def _project(project: ProjectRel, above: _Above) -> Flow:
    scope = _scope(project.input, above, ordered=above.ordered)
    made = [_made([each], scope) for each in project.expressions]
    whole = scope.flow.having((*scope.flow.columns, *(each.value for each in made)))
    columns = map(whole.at, project.common.emit.output_mapping)
    return whole.having(columns).influenced_by(*(each.influence for each in made))


@_flow.register(FilterRel)
def _filter(found: FilterRel, above: _Above) -> Flow:
    scope = _scope(found.input, above, ordered=above.ordered)
    return scope.flow.influenced_by(_decisive([found.condition], scope))


@_flow.register(SortRel)
def _sort(sort: SortRel, above: _Above) -> Flow:
    scope = _scope(sort.input, above)
    keys = sort.sorts if above.ordered else []
    return scope.flow.influenced_by(_decisive(keys, scope))


@_flow.register(FetchRel)
def _fetch(fetch: FetchRel, above: _Above) -> Flow:
    return _scope(fetch.input, above).flow


@_flow.register(AggregateRel)
def _aggregate(aggregate: AggregateRel, above: _Above) -> Flow:
    scope = _scope(aggregate.input, above)
    # The engine lists the keys of every grouping set, one set after the other.
    keys = {
        each.SerializeToString(): _made([each], scope)
        for each in aggregate.grouping_expressions
    }.values()
    # Which set a row is of is a column of its own, after the keys.
    number_of_set = [NOTHING] if len(aggregate.groupings) > 1 else []
    values = [_made(each.measure.arguments, scope) for each in aggregate.measures]
    columns = (*(e.value for e in keys), *number_of_set, *(e.value for e in values))
    return scope.flow.having(columns).influenced_by(
        *(each.value for each in keys),
        *(each.influence for each in (*keys, *values)),
        *(
            _decisive([*each.measure.sorts, each.filter], scope)
            for each in aggregate.measures
        ),
    )


@_flow.register(JoinRel)
def _join(join: JoinRel, above: _Above) -> Flow:
    if join.type not in SIDES:
        kind = JoinRel.JoinType.Name(join.type)
        raise QueryError(f"Substrait has a {kind} that is not known here")
    left, right = _scope(join.left, above).flow, _scope(join.right, above).flow
    scope = _Scope(left.joined(right, NOTHING), above.outer)
    on = _decisive([join.expression, join.post_join_filter], scope)
    return left.joined(right, on, SIDES[join.type])


@_flow.register(CrossRel)
def _cross(cross: CrossRel, above: _Above) -> Flow:
    left, right = _scope(cross.left, above).flow, _scope(cross.right, above).flow
    return left.joined(right, NOTHING)


@_flow.register(SetRel)
def _set(found: SetRel, above: _Above) -> Flow:
    if found.op != SetRel.SET_OP_UNION_ALL:
        kind = SetRel.SetOp.Name(found.op)
        raise QueryError(f"Substrait has a {kind} that is not known here")
    return united([_scope(each, above).flow for each in found.inputs])


def top_names(read: ReadRel) -> list[str]:
    """Return the names of columns, without those of the fields inside their types."""
    names = iter(read.base_schema.names)
    found = []
    for each in read.base_schema.struct.types:
        found.append(next(names))
        for _ in range(_names_inside(each)):
            next(names)
    return found


def _names_inside(found: Type) -> int:
    kind = found.WhichOneof("kind")
    if kind == "struct":
        return sum(1 + _names_inside(each) for each in found.struct.types)
    if kind == "list":
        return _names_inside(found.list.type)
    if kind == "map":
        return _names_inside(found.map.key) + _names_inside(found.map.value)
    return 0


def _decisive(messages: Iterable[Message], scope: _Scope) -> Sources:
    """Return all that is in expressions by which rows are chosen or put together."""
    made = _made(messages, scope)
    return made.value | made.influence


def _made(messages: Iterable[Message], scope: _Scope) -> _Made:
    """Return what expressions are made from; all that is inside them counts."""
    value: set[Sources] = set()
    influence: set[Sources] = set()
    todo = list(messages)
    while todo:
        each = todo.pop()
        if isinstance(each, Expression.FieldReference):
            value.add(_referred(each, scope))
        elif isinstance(each, Expression.Subquery):
            made = _subquery(each, scope)
            value.add(made.value)
            influence.add(made.influence)
        elif isinstance(each, Expression.WindowFunction):
            todo += each.arguments
            influence.add(_decisive([*each.partitions, *each.sorts], scope))
        else:
            todo += _inside(each)
    return _Made(NOTHING.union(*value), NOTHING.union(*influence))


def _inside(message: Message) -> Iterator[Message]:
    for field, held in message.ListFields():
        if field.name in SCOPED:
            raise QueryError(f"Substrait has a {field.name} that is not known here")
        if field.message_type is not None:
            yield from [held] if isinstance(held, Message) else held


def _referred(reference: Expression.FieldReference, scope: _Scope) -> Sources:
    segment = reference.direct_reference
    root = reference.WhichOneof("root_type")
    if segment.WhichOneof("reference_type") == "struct_field":
        place = int(segment.struct_field.field)
        if root == "root_reference":
            return scope.flow.at(place)
        if root == "outer_reference":
            around = scope.outer[-int(reference.outer_reference.steps_out)]
            return around.at(place)
    raise QueryError(f"Substrait has a {root} that is not known here")


def _subquery(subquery: Expression.Subquery, scope: _Scope) -> _Made:
    """Return what a subquery adds: a value, or whether there are rows of a kind."""
    above = _Above(outer=(*scope.outer, scope.flow), ordered=True)
    kind = subquery.WhichOneof("subquery_type")
    if kind == "scalar":
        below = _relation(subquery.scalar.input, above)
        return _Made(below.at(0), below.influence)
    if kind == "set_predicate":
        below = _relation(subquery.set_predicate.tuples, above)
        return _Made(NOTHING, below.influence)
    if kind == "in_predicate":
        below = _relation(subquery.in_predicate.haystack, above)
        made = _made(subquery.in_predicate.needles, scope)
    elif kind == "set_comparison":
        below = _relation(subquery.set_comparison.right, above)
        made = _made([subquery.set_comparison.left], scope)
    else:
        raise QueryError(f"Substrait has a {kind} that is not known here")
    return _Made(made.value, made.influence.union(below.influence, *below.columns))
