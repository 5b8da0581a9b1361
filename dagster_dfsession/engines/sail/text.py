"""A query as Sail gets it: Spark's SQL, over views and with its values within."""

import datetime as dt
import decimal
import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from dagster_dfsession.errors import QueryError
from dagster_dfsession.session.sql_text import Token, tokens


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


def spark_literal(name: str, value: Any) -> str:
    r"""Return a value as Spark's SQL writes it.

    Args:
        name: Of the parameter, for messages.
        value: It.

    Raises:
        QueryError: It has no literal.

    Examples:
        >>> print(spark_literal("s", "it's a \\"))
        'it\'s a \\'
        >>> spark_literal("n", 7)
        'CAST(7 AS BIGINT)'
    """
    if isinstance(value, pa.Scalar):
        value = value.as_py()
    literal = _temporal(value) if isinstance(value, dt.date) else _plain(value)
    if literal is not None:
        return literal
    raise QueryError(
        f"the parameter ${name} is a {type(value).__name__} that Sail has no literal "
        "for; pass a text without NUL, a boolean, a finite number, a date, a time or "
        "None"
    )


def _plain(value: Any) -> str | None:
    literal = None
    match value:
        case None:
            literal = "NULL"
        case bool():
            literal = str(value).upper()
        case int() if -(2**63) <= value < 2**63:
            literal = f"CAST({value} AS BIGINT)"
        case float() if math.isfinite(value):
            literal = f"CAST('{value!r}' AS DOUBLE)"
        case decimal.Decimal() if value.is_finite():
            literal = f"CAST('{value}' AS {_decimal_type(value)})"
        case str() if "\0" not in value:
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            literal = f"'{escaped}'"
    return literal


def _temporal(value: dt.date) -> str:
    if not isinstance(value, dt.datetime):
        return f"CAST('{value.isoformat()}' AS DATE)"
    if value.tzinfo is None:
        return f"CAST('{value.isoformat(' ')}' AS TIMESTAMP_NTZ)"
    text = value.astimezone(dt.timezone.utc).isoformat(" ")
    return f"CAST('{text}' AS TIMESTAMP)"


def _decimal_type(value: decimal.Decimal) -> str:
    _, digits, exponent = value.as_tuple()
    scale = max(0, -int(exponent))
    return f"DECIMAL({max(len(digits) + max(0, int(exponent)), scale, 1)}, {scale})"


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
