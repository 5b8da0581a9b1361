"""What the calls of a query compute, as far as its plan says the types."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from datafusion.plan import LogicalPlan
from google.protobuf.message import Message

from dagster_dfsession.errors import QueryError
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.query.substrait import substrait_plan

_INTEGERS = frozenset({"i8", "i16", "i32", "i64"})
_WORD = 32


class Call(NamedTuple):
    """A call of a scalar function or an operator.

    Attributes:
        name: Of the function, in Substrait's words.
        kind: Of the result, likewise.
        most: The result is no further than that from 0, if it is one of whole numbers
            that the query states; None: it is not.
    """

    name: str
    kind: str
    most: int | None

    @property
    def divides_integers(self) -> bool:
        """Whether a fraction may be left out."""
        return self.name == "divide" and self.kind in _INTEGERS

    @property
    def needs_64_bits(self) -> bool:
        """Whether stated numbers of 32 bits may come to one of 64."""
        return self.most is not None and self.most >= 2 ** (_WORD - 1)


def calls_of(planned: Planned) -> tuple[Call, ...] | None:
    """Return the calls of a query; None: Substrait has no words for it."""
    plans = (
        # As composed: the optimizer computes what is constant.
        _calls(planned.frame.logical_plan(), planned.composed),
        # Only the optimizer can undo a subquery that names columns around it.
        _calls(planned.optimized, planned.text),
    )
    found = [each for each in plans if each is not None]
    return tuple(call for each in found for call in each) if found else None


def _calls(plan: LogicalPlan, text: str) -> list[Call] | None:
    try:
        written = substrait_plan(plan, text)
    except QueryError:
        return None
    names = {
        each.extension_function.function_anchor: each.extension_function.name
        for each in written.extensions
    }
    return [
        Call(
            names[each.function_reference],
            str(each.output_type.WhichOneof("kind")),
            _most(each, names),
        )
        for each in _within(written)
    ]


def _most(call: Any, names: dict[int, str]) -> int | None:
    """Return how far a result can be from 0, whatever the signs are."""
    found = [_number(each.value, names) for each in call.arguments]
    numbers = [each for each in found if each is not None]
    most = None
    if len(numbers) == len(found):
        match names[call.function_reference], numbers:
            case "add" | "subtract", [one, other]:
                most = one + other
            case "multiply", [one, other]:
                most = one * other
            case "bitwise_shift_left", [one, by]:
                most = one << min(by, _WORD)
            case "bitwise_shift_right", [one, by]:
                # Sail shifts by the remainder of 32.
                most = one >> by if by < _WORD else one << _WORD
            case "negate", [one]:
                most = one
    return most


def _number(value: Any, names: dict[int, str]) -> int | None:
    if value.HasField("literal"):
        kind = str(value.literal.WhichOneof("literal_type"))
        return abs(getattr(value.literal, kind)) if kind in _INTEGERS else None
    return (
        _most(value.scalar_function, names)
        if value.HasField("scalar_function")
        else None
    )


def _within(message: Message) -> Iterator[Any]:
    """Yield all calls of scalar functions, wherever they are in a message."""
    if message.DESCRIPTOR.full_name == "substrait.Expression.ScalarFunction":
        yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in [value] if isinstance(value, Message) else value:
                yield from _within(each)
