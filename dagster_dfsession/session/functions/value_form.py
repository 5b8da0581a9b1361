"""Values that a function holds, as forms: those that say all there is to them."""

import array
import datetime as dt
import decimal
import fractions
import logging
import pathlib
import re
import uuid
import zoneinfo
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from dagster_dfsession.session.functions.normal_form import Form, in_order, plain_form

Part = Callable[[object, str], Form]

SAID_BY_REPR = (
    dt.date,
    dt.timedelta,
    dt.timezone,
    decimal.Decimal,
    fractions.Fraction,
    pathlib.PurePath,
    range,
    uuid.UUID,
)
KNOWN_ZONES = (type(None), dt.timezone, zoneinfo.ZoneInfo)


def value_form(  # noqa: C901, PLR0911 - one case for each kind of value
    value: object, part: Part, apart: Part
) -> Form | None:
    """Return the form of a value, or None if its content cannot be told.

    Args:
        value: Any object that is neither a function, a class nor a module.
        part: Gives the form of a part of it; the text says which part.
        apart: Likewise, as if that part had been met first: in a set none is first.
    """
    if (plain := plain_form(value)) is not None:
        return plain
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    match value:
        case tuple() | list() if type(value) in (tuple, list):
            items = enumerate(value)
            return [kind, [part(item, f"item {index}") for index, item in items]]
        case set() | frozenset() if type(value) in (set, frozenset):
            return [kind, in_order([apart(item, "an item") for item in value])]
        case dict() if type(value) is dict:
            pairs = value.items()
            return [kind, [[part(k, "a key"), part(v, f"{k!r:.40}")] for k, v in pairs]]
        case MappingProxyType():
            return [kind, part(dict(value), "the mapping")]
        case dt.datetime() | dt.time():
            known = isinstance(value.tzinfo, KNOWN_ZONES)
            return [kind, repr(value), value.fold] if known else None
        case zoneinfo.ZoneInfo():
            return [kind, value.key] if value.key else None
        case re.Pattern():
            return [kind, part(value.pattern, "the pattern"), value.flags]
        case slice():
            bounds = (value.start, value.stop, value.step)
            return [kind, [part(each, "a bound") for each in bounds]]
        case logging.Logger():
            # What is logged is no result.
            return [kind, value.name]
        case _ if isinstance(value, SAID_BY_REPR):
            return [kind, repr(value)]
    return _arrow_form(value, part) or _buffer_form(value, kind)


def field_form(field: "pa.Field[Any]") -> Form:
    """Return the form of an Arrow field.

    Examples:
        >>> field_form(pa.field("a", pa.int64(), nullable=False))
        ['a', 'int64', False, []]
    """
    metadata = sorted((field.metadata or {}).items())
    return [field.name, str(field.type), field.nullable, metadata]


def _arrow_form(  # noqa: PLR0911 - one case for each kind of value
    value: object, part: Part
) -> Form | None:
    match value:
        case pa.Schema():
            return ["schema", [field_form(field) for field in value]]
        case pa.Field():
            return ["field", field_form(value)]
        case pa.DataType():
            return ["type", str(value)]
        case pa.Scalar():
            return ["scalar", _arrow_form(value.type, part), part(value.as_py(), "it")]
        case pa.Array() | pa.ChunkedArray():
            rows = part(value.to_pylist(), "its rows")
            return ["array", _arrow_form(value.type, part), rows]
        case pa.RecordBatch() | pa.Table():
            columns = [part(column, "a column") for column in value.columns]
            return ["table", _arrow_form(value.schema, part), columns]
    return None


def _buffer_form(value: object, kind: str) -> Form | None:
    if not (isinstance(value, bytearray | array.array) or kind.startswith("numpy.")):
        return None
    try:
        view = memoryview(value)  # type: ignore[arg-type]  # numpy is not imported here
    except (TypeError, ValueError):
        return None
    if "O" in view.format:
        return None
    return [kind, view.format, view.shape, view.tobytes()]
