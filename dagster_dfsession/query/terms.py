"""What an expression of a plan stands for: a digest, the same for the same value."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from google.protobuf.message import Message
from substrait.algebra_pb2 import AggregateFunction, Expression, Rel

from dagster_dfsession.errors import QueryError

Term: TypeAlias = str
"""A digest: equal terms stand for equal values, row by row."""

UNORDERED = frozenset({"and", "or", "equal", "not_equal"})
"""Functions whose arguments can change places."""
CALLS = (Expression.ScalarFunction, AggregateFunction, Expression.WindowFunction)
NESTED = frozenset({"and", "or"})
"""Those of them that are one call, however deep they are in each other."""
UNTOLD = frozenset({"nullability", "output_type", "function_reference"})
"""Fields that say nothing of a value which is not told otherwise."""
VIEWED = frozenset({"string", "binary"})
"""Types of which there are kinds that differ in how values lie in memory alone."""


class Rows(NamedTuple):
    """A relation: which rows there are, in which order, and what each column holds."""

    rows: Term
    columns: tuple[Term, ...]


class At(NamedTuple):
    """Where in a plan.

    Attributes:
        scopes: The rows that an expression is over, those around its subquery before.
        functions: What each function is called.
        calls: Counts calls.
        named: What a table is called.
        relation: Reads a relation, for subqueries.
    """

    scopes: tuple[Rows, ...]
    functions: Mapping[int, str]
    calls: Counter[str]
    named: Callable[[str], str]
    relation: Callable[[Rel, "At"], Rows]

    def over(self, rows: Rows) -> "At":
        """Return the place of an expression over these rows."""
        return self._replace(scopes=(*self.scopes, rows))

    def called(self, function: int) -> str:
        """Return what a function is called, and count the call."""
        name = self.functions[function]
        self.calls[name] += 1
        return name


def term(*parts: object) -> Term:
    """Return what is made of these parts and of no others."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def term_of(message: Any, at: At) -> Term:
    """Return what an expression, or a part of one, stands for; a column is itself.

    Raises:
        QueryError: There is a reference of a kind that is not known here.
    """
    if isinstance(message, Expression):
        kind = message.WhichOneof("rex_type")
        return term("nothing") if kind is None else term_of(getattr(message, kind), at)
    if isinstance(message, Expression.FieldReference):
        return _column(message, at)
    if isinstance(message, Rel):
        return term("subquery", at.relation(message, at))
    if isinstance(message, Expression.ScalarFunction):
        called = at.functions[message.function_reference]
        if called in UNORDERED:
            return term(called, sorted(_arguments(message, called, at)))
    fields = fields_of(message, at)
    if isinstance(message, CALLS):
        # By itself, a message is silent about its first function: that has number 0.
        fields["function_reference"] = at.called(message.function_reference)
    if isinstance(message, Expression.WindowFunction):
        # It sees the rows at this place.
        fields["rows"] = at.scopes[-1].rows
    return term(type(message).__name__, sorted(fields.items()))


def fields_of(
    message: Any, at: At, besides: Collection[str] = UNTOLD
) -> dict[str, object]:
    """Return what each field of a message stands for."""
    return {
        field.name: _held(held, at)
        for field, held in message.ListFields()
        if field.name not in besides and not _is_of_memory(message, field.name)
    }


def _held(held: Any, at: At) -> object:
    if isinstance(held, Message):
        return term_of(held, at)
    if isinstance(held, bool | int | float | str | bytes):
        return held
    return [_held(each, at) for each in held]


def _is_of_memory(message: Any, field: str) -> bool:
    """Whether a field only says how a text or bytes lie in memory."""
    if field != "type_variation_reference":
        return False
    is_literal = isinstance(message, Expression.Literal)
    name = type(message).__name__.lower()
    return (message.WhichOneof("literal_type") if is_literal else name) in VIEWED


def _arguments(call: Any, called: str, at: At) -> Iterator[Term]:
    """Yield the arguments; in place of the same call inside, those that it has."""
    at.called(call.function_reference)
    for each in call.arguments:
        inner = each.value.scalar_function
        is_call = each.value.WhichOneof("rex_type") == "scalar_function"
        name = at.functions[inner.function_reference] if is_call else None
        if called in NESTED and name == called:
            yield from _arguments(inner, called, at)
        else:
            yield term_of(each, at)


def _column(reference: Any, at: At) -> Term:
    segment, root = reference.direct_reference, reference.WhichOneof("root_type")
    place = segment.struct_field
    if segment.WhichOneof("reference_type") == "struct_field" and not place.HasField(
        "child"
    ):
        if root == "root_reference":
            return at.scopes[-1].columns[int(place.field)]
        if root == "outer_reference":
            around = at.scopes[-1 - int(reference.outer_reference.steps_out)]
            return around.columns[int(place.field)]
    raise QueryError(f"Substrait has a reference of the kind {root}, not known here")
