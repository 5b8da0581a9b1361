"""Python values as values of an Arrow column: exactly, or not at all."""

import datetime as dt
from decimal import Decimal
from typing import Any, TypeAlias

import pyarrow as pa

from dagster_dfsession.errors import PartitionError, listing
from dagster_dfsession.plan.quoting import quoted_literal

Value: TypeAlias = str | int | bool | dt.date | dt.datetime | Decimal
"""What a partition can be named by."""

WORKING_TYPES = (
    "string, int8 to int64, bool, date32, timestamp with or without time zone, "
    "decimal128"
)

_UNITS = {"s": "Second", "ms": "Millisecond", "us": "Microsecond", "ns": "Nanosecond"}


def column_type(schema: pa.Schema, column: str) -> pa.DataType:
    """Return the type of a partition column; a dictionary is what it encodes.

    Raises:
        PartitionError: There is no such column, or values of its type are no keys.
    """
    if column not in schema.names:
        raise PartitionError(
            f"there is no partition column {column!r}; the columns are "
            f"{listing(schema.names)}. Name the column in the partition_expr metadata."
        )
    declared = schema.field(column).type
    found: pa.DataType = (
        declared.value_type if isinstance(declared, pa.DictionaryType) else declared
    )
    if _kind(found) is None:
        raise PartitionError(
            f"the partition column {column!r} is of type {declared}, whose values "
            f"cannot name a partition exactly; these types can: {WORKING_TYPES}"
        )
    return found


def exact_scalar(value: Value, column: str, found: pa.DataType) -> "pa.Scalar[Any]":
    """Return the value as a scalar of the column's type.

    Raises:
        PartitionError: It is of another kind (`'1'` for an int, a naive time for a
            column with a time zone), or does not fit (300 for an int8).
    """
    if not _is(value, found):
        raise PartitionError(
            f"{value!r} is no value of the partition column {column!r}, which is of "
            f"type {found}: it takes {_takes(found)}"
        )
    try:
        if isinstance(found, pa.TimestampType):
            # One step to microseconds, which every datetime has, one checked step on.
            precise = pa.scalar(value, type=pa.timestamp("us", tz=found.tz))
            return precise.cast(found)
        return pa.scalar(value, type=found)
    except (pa.ArrowInvalid, OverflowError) as error:
        raise PartitionError(
            f"{value!r} does not fit the partition column {column!r} of type "
            f"{found}: {error}"
        ) from None


def sql_literal(value: Value, column: str, found: pa.DataType) -> str:
    """Return the value as SQL of the column's very type.

    Timestamps are cast to the column's unit: delta-rs fails on `TIMESTAMP '...'`,
    whose nanoseconds it cannot compare with Delta's microseconds.

    Raises:
        PartitionError: As `exact_scalar`.
    """
    exact_scalar(value, column, found)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted_literal(value)
    if isinstance(value, dt.datetime) and isinstance(found, pa.TimestampType):
        return _timestamp_literal(value, found)
    if isinstance(value, dt.date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, Decimal) and isinstance(found, pa.Decimal128Type):
        # The text is what is cast: as a number it would pass through a float.
        return (
            f"arrow_cast('{value:f}', 'Decimal128({found.precision}, {found.scale})')"
        )
    return str(value)


def _timestamp_literal(value: dt.datetime, found: "pa.TimestampType[Any, Any]") -> str:
    zone = "None"
    suffix = ""
    if value.tzinfo is not None:
        value, zone, suffix = value.astimezone(dt.timezone.utc), 'Some("UTC")', "Z"
    text = value.replace(tzinfo=None).isoformat()
    return f"arrow_cast('{text}{suffix}', 'Timestamp({_UNITS[found.unit]}, {zone})')"


def _kind(found: pa.DataType) -> type[Value] | None:
    if pa.types.is_boolean(found):
        return bool
    if pa.types.is_integer(found):
        return int
    if pa.types.is_date32(found):
        return dt.date
    if pa.types.is_timestamp(found):
        return dt.datetime
    if pa.types.is_decimal128(found):
        return Decimal
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return str if any(is_text(found) for is_text in text) else None


def _is(value: Value, found: pa.DataType) -> bool:
    if isinstance(value, dt.datetime):
        return isinstance(found, pa.TimestampType) and (
            (value.tzinfo is None) == (found.tz is None)
        )
    # bool is an int by inheritance, but no number.
    kind = bool if isinstance(value, bool) else _kind(found)
    return kind is _kind(found) and kind is not None and isinstance(value, kind)


def _takes(found: pa.DataType) -> str:
    if isinstance(found, pa.TimestampType):
        return (
            "a datetime without time zone"
            if found.tz is None
            else "a datetime with a time zone"
        )
    kind = _kind(found)
    return "nothing" if kind is None else f"a {kind.__name__}"
