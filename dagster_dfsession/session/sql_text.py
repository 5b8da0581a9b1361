"""Where a name stands in the text of a query."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from dagster_dfsession.errors import Place

TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n]* | /\*)
    | (?P<text>'(?:[^']|'')*'?)
    | (?P<quoted>"(?:[^"]|"")*" | `[^`]*`)
    | (?P<word>\$?[^\W\d][\w$]* | \$\d+)
    | (?P<other>\d[\w.]* | \S)
    """,
    re.VERBOSE,
)
COMMENT_EDGE = re.compile(r"/\*|\*/")
_BEFORE = 60
_WIDTH = 100
"""Characters of a line that are shown, and how many of them before the caret."""


class Token(NamedTuple):
    """A piece of a query.

    Attributes:
        kind: `text`, `quoted`, `word` or `other`.
        value: As the engine reads it: without its quotes.
        start: Where it begins, in characters.
    """

    kind: str
    value: str
    start: int


def tokens(query: str) -> Iterator[Token]:
    """Yield the pieces of a query, less its comments.

    Examples:
        >>> [each.value for each in tokens('SELECT "a b" -- c')]
        ['SELECT', 'a b']
    """
    at = 0
    while found := TOKEN.search(query, at):
        at, kind, value = found.end(), str(found.lastgroup), found[0]
        if value == "/*":
            at = _comment_end(query, at)
        elif kind != "comment":
            if kind in ("text", "quoted"):
                value = value[1:-1].replace(value[0] * 2, value[0])
            yield Token(kind, value, found.start())


def places_of(name: str, query: str) -> tuple[Place, ...]:
    r"""Return where a name stands in a query, outside of strings and comments.

    A table's name may stand in single quotes: then it counts, if it stands nowhere
    else.

    Args:
        name: As the engine spells it: `dest`, `flights."Dep Delay"`, `$x`. Where the
            query does not have all of its parts, the last alone is looked for.
        query: The text.

    Examples:
        >>> places_of("f.a", "SELECT f.a, 'f.a',\n  F.a")
        (Place(line=1, column=8), Place(line=2, column=3))
    """
    parts = [each for each in tokens(name) if each.value != "."]
    found = list(tokens(query))
    for wanted in (parts, parts[-1:]):
        if places := [
            place_at(query, found[index].start)
            for index in range(len(found))
            if _stands(wanted, found, index)
        ]:
            return tuple(places)
    return tuple(
        place_at(query, each.start)
        for each in found
        if each.kind == "text" and each.value == name
    )


def place_at(query: str, start: int) -> Place:
    """Return the line and column of a character, counted from 1."""
    line = query.count("\n", 0, start) + 1
    return Place(line, start - (query.rfind("\n", 0, start) + 1) + 1)


def excerpt(query: str, place: Place) -> str:
    r"""Return the line of a place, with a caret below it.

    Examples:
        >>> print(excerpt("SELECT a,\n  b", Place(2, 3)))
        2 |   b
          |   ^
    """
    lines = query.splitlines() or [""]
    line = lines[min(place.line, len(lines)) - 1].replace("\t", " ")
    first = max(0, place.column - 1 - _BEFORE)
    number = str(place.line)
    return (
        f"{number} | {line[first : first + _WIDTH]}\n"
        f"{' ' * len(number)} | {' ' * (place.column - 1 - first)}^"
    )


def _stands(wanted: list[Token], found: list[Token], at: int) -> bool:
    """Return whether the parts of a name begin at a token, with dots between them."""
    if not wanted or (at and found[at - 1].value == "." and len(wanted) > 1):
        return False
    here = found[at : at + 2 * len(wanted) - 1]
    return (
        len(here) == 2 * len(wanted) - 1
        and all(each.value == "." for each in here[1::2])
        and all(map(_same, here[::2], wanted))
    )


def _same(token: Token, name: Token) -> bool:
    if token.kind == "quoted":
        return token.value == name.value
    return token.kind == "word" and name.value in (token.value, token.value.lower())


def _comment_end(query: str, at: int) -> int:
    depth = 1
    while depth and (edge := COMMENT_EDGE.search(query, at)):
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return len(query) if depth else at
