"""What the text of a query has that Sail reads otherwise than DataFusion.

Each rule looks at one place of the text, and tells one difference or none.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from dagster_dfsession.session.sql_text import Token, tokens

NULL_ORDER = "datafusion.sql_parser.default_null_ordering"
DECIMALS = "datafusion.sql_parser.parse_float_as_decimal"
ELSEWHERE = "compute it in an asset of its own, upstream, that runs on datafusion"


class Difference(NamedTuple):
    """A piece of a query that two engines answer differently.

    Attributes:
        what: The construct.
        why: What each makes of it.
        instead: What to do about it.
        start: Where it begins, in characters; None: not known.
    """

    what: str
    why: str
    instead: str
    start: int | None = None


class _Here(NamedTuple):
    """A place in a query: its pieces, and which of them it is."""

    query: str
    pieces: list[Token]
    at: int

    @property
    def token(self) -> Token:
        return self.pieces[self.at]

    @property
    def symbol(self) -> str:
        return self.token.value if self.token.kind == "other" else ""

    @property
    def word(self) -> str:
        return self.token.value.lower() if self.token.kind == "word" else ""

    @property
    def before(self) -> str:
        return self.pieces[self.at - 1].value if self.at else ""

    @property
    def after(self) -> str:
        return next((each.value for each in self.pieces[self.at + 1 :]), "")


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
_NUMBER = re.compile(r"\d[\d_]*")
_SUMS: Mapping[str, Callable[[int, int], int]] = MappingProxyType(
    {"+": operator.add, "-": operator.sub, "*": operator.mul}
)
_BITS_32 = 2**31
_EXACT = re.compile(r"\d+\.\d*")
_FLOATING = re.compile(r"\d+\.?\d*[eE]\d*")
_ENDS_ORDER = frozenset({"limit", "offset", "rows", "range", "groups", "fetch"})


def _name_in_double_quotes(here: _Here) -> Difference | None:
    token = here.token
    if token.kind != "quoted" or here.query[token.start] != '"':
        return None
    return Difference(
        f'"{token.value}"',
        "DataFusion reads the name of a column, Sail a text",
        f"write `{token.value}` for the name",
    )


def _backslash(here: _Here) -> Difference | None:
    if here.token.kind != "text" or "\\" not in here.token.value:
        return None
    return Difference(
        "a backslash in a text",
        "DataFusion keeps it, Sail takes it for an escape",
        "write $name, and give the text as a parameter",
    )


def _subscript(here: _Here) -> Difference | None:
    if here.symbol != "[":
        return None
    return Difference(
        "array[1]",
        "DataFusion counts from 1, Sail from 0",
        f"keep the element in a column: {ELSEWHERE}",
    )


def _function(here: _Here) -> Difference | None:
    name = "date_format" if here.word == "to_char" else here.word
    if here.after != "(" or name not in _FUNCTIONS:
        return None
    if name.endswith("trim") and not _second_argument(here.pieces[here.at + 2 :]):
        return None
    return Difference(f"{here.word}(...)", *_FUNCTIONS[name])


def _part_of_text(here: _Here) -> Difference | None:
    if here.word not in ("substr", "substring") or here.after != "(":
        return None
    start = _second_argument(here.pieces[here.at + 2 :])
    if len(start) == 1 and _NUMBER.fullmatch(start[0]) and int(start[0]) > 0:
        return None
    return Difference(
        f"{here.word}(text, start) where start may be below 1",
        "DataFusion counts from before the text, Sail from its end",
        "write a number of at least 1; right(text, 3) is the end of a text",
    )


def division(start: int | None) -> Difference:
    """Return what integers divided by one another are."""
    return Difference(
        "a / b of integers",
        "DataFusion leaves the fraction out, Sail returns it",
        "write CAST(a AS DOUBLE) / b for the fraction, and (a - a % b) / CAST(b AS "
        "DOUBLE) for the whole",
        start,
    )


def _division_of_numbers(here: _Here) -> Difference | None:
    both = _NUMBER.fullmatch(here.before) and _NUMBER.fullmatch(here.after)
    return division(None) if here.symbol == "/" and both else None


def _sum_of_numbers(here: _Here) -> Difference | None:
    if here.symbol not in _SUMS or not (
        _NUMBER.fullmatch(here.before) and _NUMBER.fullmatch(here.after)
    ):
        return None
    if abs(_SUMS[here.symbol](int(here.before), int(here.after))) < _BITS_32:
        return None
    return Difference(
        f"{here.before} {here.symbol} {here.after}",
        "DataFusion computes it in 64 bits, Sail in 32, and begins again at the least "
        "number",
        "write the result",
    )


def _seconds(here: _Here) -> Difference | None:
    if here.word not in ("second", "seconds") or here.after.lower() != "from":
        return None
    return Difference(
        "extract(second FROM at)",
        "DataFusion returns whole seconds, Sail their fraction too",
        "write extract(minute FROM at) or date_trunc('second', at), or " + ELSEWHERE,
    )


def _order(here: _Here, settings: Mapping[str, str]) -> Difference | None:
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


def _number(here: _Here, settings: Mapping[str, str]) -> Difference | None:
    number, exact = here.symbol, settings.get(DECIMALS) == "true"
    if number == "." and here.after[:1].isdigit():
        number = f"0.{here.after}"
    if exact and _FLOATING.fullmatch(number):
        return Difference(
            number,
            "this session reads a decimal, Sail a double",
            "write it without an exponent for a decimal, or CAST('...' AS DOUBLE)",
        )
    if not exact and _EXACT.fullmatch(number):
        return Difference(
            number,
            "this session reads a double, Sail a decimal",
            f"write CAST('{number}' AS DOUBLE), or set sql.float_as_decimal in the "
            "profile",
        )
    return None


_ALWAYS: tuple[Callable[[_Here], Difference | None], ...] = (
    _name_in_double_quotes,
    _backslash,
    _subscript,
    _function,
    _part_of_text,
    _division_of_numbers,
    _sum_of_numbers,
    _seconds,
)
_BY_SETTING: tuple[Callable[[_Here, Mapping[str, str]], Difference | None], ...] = (
    _order,
    _number,
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
        here = _Here(query, pieces, at)
        found = [rule(here) for rule in _ALWAYS]
        if settings is not None:
            found += [rule(here, settings) for rule in _BY_SETTING]
        for each in found:
            if each is not None:
                yield each._replace(start=here.token.start)


def _second_argument(pieces: list[Token]) -> list[str]:
    """Return the pieces of the second argument of a call, from the first on."""
    depth, commas = 0, 0
    argument: list[str] = []
    for token in pieces:
        value = token.value.lower() if token.kind != "text" else "'"
        depth += (value in ("(", "[")) - (value in (")", "]"))
        if depth < 0:
            break
        if depth == 0 and value in (",", "from", "for"):
            commas += 1
        elif commas == 1:
            argument.append(token.value)
    return argument


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
