"""What Sail would read otherwise than DataFusion, and not say: each is refused.

Sail reads Spark's SQL. What it does not know it refuses by itself; here is what both
take, and would answer differently.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.message import Message

from dagster_dfsession.engines.sail.differences import (
    Difference,
    differences,
    division,
)
from dagster_dfsession.errors import QueryError
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.query.substrait import substrait_plan
from dagster_dfsession.session.sql_text import excerpt, place_at, tokens

_INTEGERS = frozenset({"i8", "i16", "i32", "i64"})
_WIDENED = re.compile(r"CAST\(((?:[^()]|\([^()]*\))+) AS Int64\)")


def check_dialect(query: str, planned: Planned, settings: Mapping[str, str]) -> None:
    """Refuse a query of which Sail would make something else than DataFusion does.

    Args:
        query: Its text.
        planned: The same, planned here.
        settings: Those of the session it was planned in.

    Raises:
        QueryError: It has such a piece; the message names it, and what to write.
    """
    _refuse(query, differences(query, settings))
    _refuse(query, _by_type(query, planned))


def check_text(query: str) -> None:
    """Refuse what the text alone shows, whatever the tables and the settings are.

    Raises:
        QueryError: As `check_dialect`.

    Examples:
        >>> check_text("SELECT concat(first, last) FROM names")
        Traceback (most recent call last):
            ...
        dagster_dfsession.errors.QueryError: engine 'sail' refuses concat(...): ...
    """
    _refuse(query, differences(query, None))


def _by_type(query: str, planned: Planned) -> Iterator[Difference]:
    """Yield what depends on types: division, and sums that need more room."""
    slashes = [each.start for each in tokens(query) if each.value == "/"]
    if slashes and _divides_integers(planned):
        yield division(slashes[0])
    for operand in sorted(set(_WIDENED.findall(planned.text))):
        each = rf"\(?{re.escape(operand)}\)?"
        sums = rf"(?:{each} [-+*] Int64\((?!NULL)|Int64\([^)]*\) [-+*] {each})"
        if re.search(sums, planned.composed):
            yield Difference(
                f"{operand} + 1",
                "DataFusion computes it in 64 bits, Sail in 32, and begins again at "
                "the least number where they are too few",
                f"write CAST({operand} AS BIGINT)",
            )


def _divides_integers(planned: Planned) -> bool:
    try:
        plan = substrait_plan(planned.optimized, planned.text)
    except QueryError:
        return True  # nobody can tell
    divides = {
        each.extension_function.function_anchor
        for each in plan.extensions
        if each.extension_function.name == "divide"
    }
    return any(
        call.output_type.WhichOneof("kind") in _INTEGERS
        for call in _calls(plan)
        if call.function_reference in divides
    )


def _calls(message: Message) -> Iterator[Any]:
    """Yield all calls of scalar functions, wherever they are in a message."""
    if message.DESCRIPTOR.full_name == "substrait.Expression.ScalarFunction":
        yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in [value] if isinstance(value, Message) else value:
                yield from _calls(each)


def _refuse(query: str, found: Iterator[Difference]) -> None:
    first = next(found, None)
    if first is None:
        return
    text = f"engine 'sail' refuses {first.what}: {first.why}; {first.instead}."
    places = () if first.start is None else (place_at(query, first.start),)
    shown = "".join(f"\n{excerpt(query, place)}" for place in places)
    error = QueryError(f"{text}{shown}")
    error.kind, error.name, error.places = "dialect", first.what, places
    raise error
