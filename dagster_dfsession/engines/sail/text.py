"""A query as Sail gets it: Spark's SQL, over views and with its values within."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from dagster_dfsession.delta.location import Location
from dagster_dfsession.engines.port import TableAt
from dagster_dfsession.engines.sail.literals import spark_literal
from dagster_dfsession.errors import QueryError
from dagster_dfsession.session.sql_text import Token, tokens

_FOUND_BY = "/:=+,;!$&'()@~"
"""Characters of an address, beside letters and digits, that Sail does not change."""


def spark_text(query: str, views: Mapping[str, str], params: Mapping[str, Any]) -> str:
    """Return a query whose tables are views, and whose parameters are literals.

    Each table becomes a name of WITH, so that columns which are called like a table
    stay what they are.

    Args:
        query: Spark's SQL.
        views: Table as the query spells it -> view.
        params: Values by name, for `$name`.

    Raises:
        QueryError: A value has no literal.

    Examples:
        >>> spark_text("SELECT n FROM raw.t WHERE s = $s", {"raw.t": "v"}, {"s": "x"})
        "WITH `t` AS (SELECT * FROM `v`) SELECT n FROM `t` WHERE s = 'x'"
    """
    names = _short(views)
    found = list(tokens(query))
    if found and found[-1].value == ";":
        query = query[: found.pop().start]
    pieces: list[str] = []
    at = skip = 0
    opens_with = bool(found) and found[0].value.lower() == "with"
    for index, token in enumerate(found):
        if index < skip:
            continue
        written: str | None = None
        end = token.start + len(token.value)
        if index == 0 and opens_with:
            written = ""
        elif token.kind == "word" and token.value.startswith("$"):
            written = spark_literal(token.value[1:], params[token.value[1:]])
        elif (table := _table_at(found, index, names)) is not None:
            written, last = f"`{names[table]}`", found[index + 2]
            end = last.start + len(last.value) + 2 * (last.kind == "quoted")
            skip = index + 3
        if written is not None:
            pieces += [query[at : token.start], written]
            at = end
    body = "".join([*pieces, query[at:]]).lstrip()
    if not views:
        return f"WITH {body}" if opens_with else body
    given = ", ".join(
        f"`{names[table]}` AS (SELECT * FROM `{view}`)"  # noqa: S608  # our own names
        for table, view in sorted(views.items())
    )
    return f"WITH {given}{',' if opens_with else ''} {body}"


def view_text(view: str, table: TableAt) -> str:
    """Return the statement that makes a view of a table at its version.

    Raises:
        QueryError: Sail would not find it.

    Examples:
        >>> view_text("v", TableAt(Location("/t"), 3))
        "CREATE TEMPORARY VIEW `v` USING delta OPTIONS (path '/t', versionAsOf '3')"
    """
    path = spark_literal("path", path_of(table.location))
    return (
        f"CREATE TEMPORARY VIEW `{view}` USING delta "
        f"OPTIONS (path {path}, versionAsOf '{table.version}')"
    )


def path_of(location: Location) -> str:
    """Return the address of a table as Sail reads it.

    Raises:
        QueryError: It has a character by which Sail finds nothing.
    """
    if quote(location.uri, safe=_FOUND_BY) != location.uri:
        raise QueryError(
            f"Sail finds no version of a table at {location.uri!r}: it writes blanks, "
            "letters past ASCII and some signs of an address otherwise. Have the lake "
            "at an address without, or run the query on datafusion"
        )
    return location.uri


def _short(views: Mapping[str, str]) -> dict[str, str]:
    """Return table -> its name in WITH: the last part, if no other table has it."""
    last = [table.rpartition(".")[2] for table in views]
    return {
        table: name
        if last.count(name) == 1 or table == name
        else table.replace(".", "__")
        for table, name in zip(views, last, strict=True)
    }


def _table_at(found: list[Token], index: int, names: Mapping[str, str]) -> str | None:
    """Return the table of two parts whose name begins at a token."""
    parts = found[index : index + 3]
    if len(parts) < 3 or parts[1].value != "." or parts[0].kind == "text":  # noqa: PLR2004
        return None
    if index and found[index - 1].value == ".":
        return None
    here = (_folded(parts[0]), _folded(parts[2]))
    return next((table for table in names if tuple(table.rsplit(".", 1)) == here), None)


def _folded(token: Token) -> str:
    return token.value.lower() if token.kind == "word" else token.value
