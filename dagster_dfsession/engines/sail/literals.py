"""Values as Spark's SQL writes them, with the types that the session gives them."""

import datetime as dt
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from dagster_dfsession.errors import QueryError

_TYPES: Mapping[pa.DataType, str] = MappingProxyType(
    {
        pa.bool_(): "BOOLEAN",
        pa.int8(): "TINYINT",
        pa.int16(): "SMALLINT",
        pa.int32(): "INT",
        pa.int64(): "BIGINT",
        pa.float32(): "FLOAT",
        pa.float64(): "DOUBLE",
        pa.string(): "STRING",
        pa.binary(): "BINARY",
        pa.date32(): "DATE",
        pa.timestamp("us"): "TIMESTAMP_NTZ",
    }
)
_DIGITS = 38
"""Of a decimal: DataFusion has longer ones, Spark has not."""


def spark_literal(name: str, value: Any) -> str:
    r"""Return a value as Spark's SQL writes it.

    Args:
        name: Of the parameter, for messages.
        value: It, of Python or of Arrow.

    Raises:
        QueryError: It has no literal.

    Examples:
        >>> print(spark_literal("s", "it's a \\"))
        'it\'s a \\'
        >>> spark_literal("n", 7)
        'CAST(7 AS BIGINT)'
        >>> spark_literal("n", pa.scalar(None, pa.int32()))
        'CAST(NULL AS INT)'
    """
    scalar = value if isinstance(value, pa.Scalar) else pa.scalar(value)
    if pa.types.is_null(scalar.type):
        return "NULL"
    kind = _spark_type(scalar.type)
    plain = scalar.as_py()
    if kind is None or (isinstance(plain, str) and "\0" in plain):
        raise QueryError(
            f"the parameter ${name} is a {type(value).__name__} ({scalar.type}) that "
            "Sail has no literal for; pass a text without NUL, bytes, a boolean, a "
            f"number of at most {_DIGITS} digits, a date, a datetime or None"
        )
    if plain is None:
        return f"CAST(NULL AS {kind})"
    written = next(write for types, write in _WRITTEN if isinstance(plain, types))
    return written(plain, kind)


def _spark_type(kind: pa.DataType) -> str | None:
    if pa.types.is_decimal(kind):
        fits = kind.precision <= _DIGITS and 0 <= kind.scale <= kind.precision
        return f"DECIMAL({kind.precision}, {kind.scale})" if fits else None
    if pa.types.is_timestamp(kind) and kind.unit == "us" and kind.tz is not None:
        return "TIMESTAMP"
    return _TYPES.get(kind)


def _text(value: str, _: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _instant(value: dt.datetime, kind: str) -> str:
    in_utc = value if value.tzinfo is None else value.astimezone(dt.timezone.utc)
    return f"CAST('{in_utc.isoformat(' ')}' AS {kind})"


_WRITTEN: tuple[tuple[type | tuple[type, ...], Callable[[Any, str], str]], ...] = (
    (bool, lambda value, _: str(value).upper()),
    (int, lambda value, kind: f"CAST({value} AS {kind})"),
    (float, lambda value, kind: f"CAST('{value!r}' AS {kind})"),
    (str, _text),
    (bytes, lambda value, _: f"X'{value.hex()}'"),
    (dt.datetime, _instant),
    (dt.date, lambda value, kind: f"CAST('{value.isoformat()}' AS {kind})"),
    # A decimal: never with an exponent.
    (object, lambda value, kind: f"CAST('{value:f}' AS {kind})"),
)
