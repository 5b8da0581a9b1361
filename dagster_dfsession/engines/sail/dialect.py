"""What Sail would read otherwise than DataFusion, and not say: each is refused.

Sail reads Spark's SQL. What it does not know it refuses by itself; here is what both
take, and would answer differently.
"""

import re
from collections.abc import Iterator, Mapping

from dagster_dfsession.engines.sail.calls import calls_of
from dagster_dfsession.engines.sail.construct import Difference
from dagster_dfsession.engines.sail.differences import differences
from dagster_dfsession.engines.sail.numbers import (
    division,
    sum_past_32_bits,
    sum_with_32_bits,
)
from dagster_dfsession.errors import QueryError
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.session.sql_text import excerpt, place_at, tokens

_SIGN = r"(?:[-+*]|<<|>>)"
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
    calls = calls_of(planned)
    slashes = [each.start for each in tokens(query) if each.value == "/"]
    if slashes and (calls is None or any(each.divides_integers for each in calls)):
        yield division(slashes[0] if len(slashes) == 1 else None)
    if any(each.needs_64_bits for each in calls or ()):
        yield sum_past_32_bits()
    for operand in sorted(set(_WIDENED.findall(planned.text))):
        each = rf"\(?{re.escape(operand)}\)?"
        sums = rf"(?:{each} {_SIGN} \(*Int64\((?!NULL)|Int64\([^)]*\)+ {_SIGN} {each})"
        if re.search(sums, planned.composed):
            yield sum_with_32_bits(operand)


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
