"""A place in the text of a query, and what is said of it."""

from typing import NamedTuple

from dagster_dfsession.session.sql_text import Token


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


class Here(NamedTuple):
    """A place in a query: its pieces, and which of them it is."""

    query: str
    pieces: list[Token]
    at: int

    @property
    def token(self) -> Token:
        """The piece."""
        return self.pieces[self.at]

    @property
    def symbol(self) -> str:
        """It, if it is neither a word nor a text."""
        return self.token.value if self.token.kind == "other" else ""

    @property
    def word(self) -> str:
        """It in small letters, if it is a word without quotes."""
        return self.token.value.lower() if self.token.kind == "word" else ""

    @property
    def before(self) -> str:
        """The piece before it."""
        return self.pieces[self.at - 1].value if self.at else ""

    @property
    def after(self) -> str:
        """The piece after it."""
        return next((each.value for each in self.pieces[self.at + 1 :]), "")

    @property
    def arguments(self) -> list[list[str]]:
        """The arguments of a call whose name it is, each in pieces."""
        depth = 0
        found: list[list[str]] = [[]]
        for token in self.pieces[self.at + 2 :]:
            value = token.value.lower() if token.kind != "text" else "'"
            depth += (value in ("(", "[")) - (value in (")", "]"))
            if depth < 0:
                break
            if depth == 0 and value in (",", "from", "for"):
                found.append([])
            else:
                found[-1].append(token.value)
        return found
