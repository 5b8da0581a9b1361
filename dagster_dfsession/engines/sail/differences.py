"""What the text of a query has that Sail reads otherwise than DataFusion.

Each rule looks at one place of the text, and tells one difference or none.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from dagster_dfsession.engines.sail.construct import Difference, Here
from dagster_dfsession.engines.sail.numbers import (
    division_of_numbers,
    is_from_one_on,
    number,
    sum_of_numbers,
)
from dagster_dfsession.session.sql_text import Token, tokens

NULL_ORDER = "datafusion.sql_parser.default_null_ordering"
ELSEWHERE = "compute it in an asset of its own, upstream, that runs on datafusion"


_ONE_SIDE = (
    "DataFusion takes the text first, Sail what is cut off it",
    "write trim(LEADING 'x' FROM text), or TRAILING",
)
_FUNCTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "concat": (
            "DataFusion leaves NULL out, Sail returns NULL",
            "write a || b, NULL in both; coalesce(a, '') || b leaves NULL out",
        ),
        "regexp_replace": (
            "DataFusion replaces the first match, Sail all of them",
            f"write replace(text, part, other) for a fixed part, or {ELSEWHERE}",
        ),
        "to_timestamp": (
            "DataFusion returns nanoseconds without a zone, Sail microseconds in UTC",
            f"write CAST(text AS DATE) where days are enough, or {ELSEWHERE}",
        ),
        "from_unixtime": (
            "DataFusion returns a timestamp, Sail a text",
            ELSEWHERE,
        ),
        "date_format": (
            "DataFusion reads the patterns of chrono (%Y), Sail those of Java (yyyy)",
            f"write extract(year FROM at) or date_trunc('month', at), or {ELSEWHERE}",
        ),
        "ltrim": _ONE_SIDE,
        "rtrim": _ONE_SIDE,
    }
)
_LOGARITHMS = frozenset({"ln", "log", "log2", "log10"})
_ENDS_ORDER = frozenset({"limit", "offset", "rows", "range", "groups", "fetch"})


def _name_in_double_quotes(here: Here) -> Difference | None:
    token = here.token
    if token.kind != "quoted" or here.query[token.start] != '"':
        return None
    return Difference(
        f'"{token.value}"',
        "DataFusion reads the name of a column, Sail a text",
        f"write `{token.value}` for the name",
    )


def _backslash(here: Here) -> Difference | None:
    if here.token.kind != "text" or "\\" not in here.token.value:
        return None
    return Difference(
        "a backslash in a text",
        "DataFusion keeps it, Sail takes it for an escape",
        "write $name, and give the text as a parameter",
    )


def _doubled_quote(here: Here) -> Difference | None:
    if here.token.kind != "text" or "'" not in here.token.value:
        return None
    return Difference(
        "'' in a text",
        "DataFusion reads a quote, Sail leaves it out",
        "write $name, and give the text as a parameter",
    )


def _subscript(here: Here) -> Difference | None:
    if here.symbol != "[":
        return None
    return Difference(
        "array[1]",
        "DataFusion counts from 1, Sail from 0",
        f"keep the element in a column: {ELSEWHERE}",
    )


def _function(here: Here) -> Difference | None:
    name = "date_format" if here.word == "to_char" else here.word
    if here.after != "(" or name not in _FUNCTIONS:
        return None
    if name.endswith("trim") and len(here.arguments) == 1:
        return None
    return Difference(f"{here.word}(...)", *_FUNCTIONS[name])


def _part_of_text(here: Here) -> Difference | None:
    if here.word not in ("substr", "substring") or here.after != "(":
        return None
    if is_from_one_on([*here.arguments, []][1]):
        return None
    return Difference(
        f"{here.word}(text, start) where start may be below 1",
        "DataFusion counts from before the text, Sail from its end",
        "write a number of at least 1; right(text, 3) is the end of a text",
    )


def _logarithm(here: Here) -> Difference | None:
    if here.word not in _LOGARITHMS or here.after != "(":
        return None
    if here.arguments[-1][:1] and here.arguments[-1][0].lower() == "case":
        return None
    return Difference(
        f"{here.word}(...) of what may be 0 or less",
        "DataFusion returns -Infinity or NaN, Sail NULL",
        f"write {here.word}(CASE WHEN x > 0 THEN x END), NULL in both",
    )


def _seconds(here: Here) -> Difference | None:
    second = here.token.value.lower() in ("second", "seconds")
    extracted = here.word and here.after.lower() == "from"
    parted = here.token.kind == "text" and here.before == "(" and _names_part(here)
    if not second or not (extracted or parted):
        return None
    return Difference(
        "extract(second FROM at)",
        "DataFusion returns whole seconds, Sail their fraction too",
        "write extract(minute FROM at) or date_trunc('second', at), or " + ELSEWHERE,
    )


def _order(here: Here, settings: Mapping[str, str]) -> Difference | None:
    if (here.word, here.after.lower()) != ("order", "by"):
        return None
    if settings.get(NULL_ORDER) == "nulls_min":
        return None
    if _says_nulls(here.pieces[here.at + 2 :]):
        return None
    return Difference(
        "ORDER BY without NULLS FIRST or NULLS LAST",
        "Sail takes NULL for the least value, this session does not",
        "write NULLS FIRST or NULLS LAST after each column, or set sql.null_ordering "
        "to nulls_min in the profile",
    )


_ALWAYS: tuple[Callable[[Here], Difference | None], ...] = (
    _name_in_double_quotes,
    _backslash,
    _subscript,
    _function,
    _part_of_text,
    _doubled_quote,
    _logarithm,
    division_of_numbers,
    sum_of_numbers,
    _seconds,
)
_BY_SETTING: tuple[Callable[[Here, Mapping[str, str]], Difference | None], ...] = (
    _order,
    number,
)


def differences(query: str, settings: Mapping[str, str] | None) -> Iterator[Difference]:
    """Yield what the text of a query has of such pieces.

    Args:
        query: Its text.
        settings: Those of the session that reads it; None: they are not known, and
            what depends on them is left out.

    Examples:
        >>> [each.what for each in differences('SELECT "a", b[1] FROM t', None)]
        ['"a"', 'array[1]']
    """
    pieces = list(tokens(query))
    for at in range(len(pieces)):
        here = Here(query, pieces, at)
        found = [rule(here) for rule in _ALWAYS]
        if settings is not None:
            found += [rule(here, settings) for rule in _BY_SETTING]
        for each in found:
            if each is not None:
                yield each._replace(start=here.token.start)


def _names_part(here: Here) -> bool:
    """Whether it is the first argument of date_part."""
    name = here.pieces[here.at - 2] if here.at > 1 else here.token
    return name.value.lower() in ("date_part", "datepart")


def _says_nulls(pieces: list[Token]) -> bool:
    """Whether each column of an ORDER BY says where NULL goes."""
    depth, said, columns = 0, 0, 1
    for token in pieces:
        value = token.value.lower() if token.kind in ("word", "other") else ""
        depth += (value == "(") - (value == ")")
        if depth < 0 or (depth == 0 and value in _ENDS_ORDER):
            break
        columns += depth == 0 and value == ","
        said += depth == 0 and value == "nulls"
    return said >= columns
