"""Values for the parameters of a query: bound by the engine, never text."""

import datetime as dt
import reprlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
from datafusion import SessionContext

from dagster_dfsession.errors import QueryError
from dagster_dfsession.profile.sql import Prepared
from dagster_dfsession.session.sql_text import tokens

_TAKEN = (
    "None, bool, int, float, str, bytes, Decimal, date, time, datetime, timedelta, a "
    "list or dict of these, or a pyarrow scalar"
)


def _is_text(found: pa.DataType) -> bool:
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_kind(found) for is_kind in kinds)


def _is_bytes(found: pa.DataType) -> bool:
    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    return any(is_kind(found) for is_kind in kinds)


_PYTHON = (
    (pa.types.is_boolean, bool),
    (pa.types.is_integer, int),
    (pa.types.is_floating, float, int),
    (pa.types.is_decimal, Decimal, int),
    (_is_text, str),
    (_is_bytes, bytes),
    (pa.types.is_date, dt.date),
    (pa.types.is_time, dt.time),
    (pa.types.is_timestamp, dt.datetime),
    (pa.types.is_duration, dt.timedelta),
    (pa.types.is_interval, dt.timedelta),
)
"""Arrow types, and the Python types whose values they hold."""
_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 60


def bound_values(params: Mapping[str, Any], doing: str) -> dict[str, Any]:
    """Return values as the engine binds them.

    Args:
        params: Value by name, without the `$` of the query.
        doing: Begins the message of a failure.

    Raises:
        QueryError: A name or a value is none; the message says which.

    Examples:
        >>> bound_values({"day": "2024-01-01"}, "planning it")["day"].type
        DataType(string)
    """
    return {name: _value(name, value, None, doing) for name, value in params.items()}


def missing_values(query: str) -> dict[str, Any]:
    """Return what makes the engine miss the values that a query without any asks for.

    It looks for them only where it was given one. A statement that it prepares has no
    values yet.
    """
    found = list(tokens(query))
    prepares = bool(found) and found[0].value.upper() == "PREPARE"
    asks = any(each.value[0] in "$:?" for each in found if each.kind != "text")
    return {"": None} if asks and not prepares else {}


def prepared_values(
    prepared: Prepared, types: Sequence[pa.DataType], values: Sequence[Any]
) -> dict[str, Any]:
    """Return the values of a prepared statement, as its types ask for them.

    A value has the type, or becomes it without losing anything: 1 is a DOUBLE, and
    1.5 is no BIGINT.

    Args:
        prepared: The statement.
        types: Its types, as the engine reads them.
        values: In the order of `$1, $2 ...`.

    Raises:
        QueryError: There are more or fewer of them, or one is not of its type.
    """
    doing = f"running the prepared statement {prepared.name!r}"
    if not prepared.types:  # the engine infers them
        numbered = {str(n): value for n, value in enumerate(values, 1)}
        return bound_values(numbered, doing)
    if len(values) != len(types):
        declared = ", ".join(prepared.types)
        raise _refused(
            f"{doing}: it takes {len(types)} values ({declared}), and {len(values)} "
            "were given.",
            prepared.name,
        )
    return {
        str(number): _value(str(number), value, (type_, declared), doing)
        for number, (value, type_, declared) in enumerate(
            zip(values, types, prepared.types, strict=True), 1
        )
    }


def sql_types(ctx: SessionContext, names: Sequence[str]) -> tuple[pa.DataType, ...]:
    """Return what the engine makes of SQL types.

    Raises:
        Exception: Under `engine_errors` of the caller: the engine has no such type.
    """
    columns = ", ".join(f"CAST(NULL AS {n}) AS c{i}" for i, n in enumerate(names))
    return tuple(ctx.sql(f"SELECT {columns}").schema().types) if names else ()


def _value(
    name: str, value: Any, wanted: tuple[pa.DataType, str] | None, doing: str
) -> "pa.Scalar[Any]":
    shown = f"parameter ${name} is {_SHOWN.repr(value)}, {_a(type(value).__name__)}"
    if not name.replace("_", "a").isalnum():
        raise _refused(
            f"{doing}: {name!r} is no name of a parameter: a query says $day, and "
            "params={'day': ...} gives its value.",
            name,
        )
    try:
        if wanted is None:
            return value if isinstance(value, pa.Scalar) else pa.scalar(value)
        plain = value.as_py() if isinstance(value, pa.Scalar) else value
        if _fits(plain, wanted[0]):
            return pa.scalar(plain, wanted[0])
    except OverflowError:
        raise _refused(
            f"{doing}: {shown} that does not fit into 64 bits; pass a Decimal.", name
        ) from None
    except (pa.ArrowException, TypeError, ValueError) as error:
        reason = "" if wanted is None else f" ({error})"
    else:
        reason = ""
    says = (
        f", and no value for SQL: pass {_TAKEN}."
        if wanted is None
        else f", and the statement declares {wanted[1]}{reason}."
    )
    raise _refused(f"{doing}: {shown}{says}", name)


def _fits(value: Any, wanted: pa.DataType) -> bool:
    """Return whether a value is of a type: pyarrow makes 1 of 1.5, and a date of 1."""
    if value is None:
        return True
    if isinstance(value, dt.datetime) and pa.types.is_timestamp(wanted):
        return (value.tzinfo is None) == (wanted.tz is None)
    kinds = [kind for fits, *kinds in _PYTHON for kind in kinds if fits(wanted)]
    # Not `isinstance`: a bool is an int, and a datetime is a date.
    return type(value) in kinds or not kinds


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _refused(message: str, name: str) -> QueryError:
    error = QueryError(message)
    error.kind, error.name = "parameter", name
    return error
