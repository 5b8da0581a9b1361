"""Arrow types as Delta Lake holds them, and the columns of two schemas compared."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from dagster_dfsession.errors import SchemaMismatchError, listing

_KEPT = (
    pa.string(),
    pa.binary(),
    pa.bool_(),
    pa.int8(),
    pa.int16(),
    pa.int32(),
    pa.int64(),
    pa.float32(),
    pa.float64(),
    pa.date32(),
)
# What holds every value of a type that Delta lacks.
_HELD_AS: Mapping[pa.DataType, pa.DataType] = MappingProxyType(
    {
        **{kept: kept for kept in _KEPT},
        pa.large_string(): pa.string(),
        pa.string_view(): pa.string(),
        pa.large_binary(): pa.binary(),
        pa.binary_view(): pa.binary(),
        pa.uint8(): pa.int16(),
        pa.uint16(): pa.int32(),
        pa.uint32(): pa.int64(),
        pa.float16(): pa.float32(),
        pa.date64(): pa.date32(),
    }
)
# List views are left out: pyarrow 26 casts one with NULLs to a broken array.
_LISTS = (pa.ListType, pa.LargeListType, pa.FixedSizeListType)
_DECIMALS = (pa.Decimal32Type, pa.Decimal64Type, pa.Decimal128Type, pa.Decimal256Type)
_DECIMAL_DIGITS = 38


def table_schema(table: DeltaTable) -> pa.Schema:
    """Return the Arrow schema of a table at its loaded version."""
    exported: Any = table.schema().to_arrow()
    return pa.schema(exported)


def delta_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema as a Delta table holds it, every column nullable.

    Only conversions that keep each value: views and dictionaries become what they
    show, any time zone becomes UTC, unsigned integers the next wider signed ones.
    Whether a column can be NULL is what a plan happens to know, so it is not kept.

    Raises:
        SchemaMismatchError: Delta has no exact type for a column, or two columns
            share a name, upper and lower case aside.

    Examples:
        >>> delta_schema(pa.schema({"n": pa.uint8(), "s": pa.string_view()})).types
        [DataType(int16), DataType(string)]
    """
    names = [name.lower() for name in schema.names]
    if twice := sorted({n for n in schema.names if names.count(n.lower()) > 1}):
        raise SchemaMismatchError(
            f"columns share a name, upper and lower case aside: {listing(twice)}. "
            "Delta Lake cannot tell them apart: rename all but one, with AS"
        )
    return pa.schema(
        [(field.name, delta_type(field.type, field.name)) for field in schema]
    )


def delta_type(found: pa.DataType, column: str) -> pa.DataType:
    """Return the type that holds all values of `found` in a Delta table.

    Raises:
        SchemaMismatchError: There is none; the message names the column.
    """
    held = _HELD_AS.get(found)
    if held is None:
        held = _parametric(found) or _nested(found, column)
    if held is None:
        raise SchemaMismatchError(
            f"the column {column!r} is of type {found}, which Delta Lake cannot hold "
            f"exactly; {_advice(found)}"
        )
    return held


def column_differences(
    stream: pa.Schema, table: pa.Schema
) -> tuple[list[str], list[str], list[str]]:
    """Return what the stream lacks, what it has more, and what differs, in words.

    Order, nullability and the spelling of a type (view, dictionary, time zone) do
    not count; a column of NULLs fits every type.
    """
    missing = [f"{f.name} ({f.type})" for f in table if f.name not in stream.names]
    extra = [f"{f.name} ({f.type})" for f in stream if f.name not in table.names]
    changed = [
        f"{f.name} ({f.type}, the table has {table.field(f.name).type})"
        for f in stream
        if f.name in table.names
        and not pa.types.is_null(f.type)
        and delta_type(f.type, f.name) != delta_type(table.field(f.name).type, f.name)
    ]
    return missing, extra, changed


def table_order(stream: pa.Schema, table: pa.Schema) -> pa.Schema:
    """Return the stream's columns as the table holds them: its own first, then new."""
    kept: Iterable[pa.Field[Any]] = (f for f in table if f.name in stream.names)
    new = (f for f in stream if f.name not in table.names)
    return delta_schema(pa.schema([*kept, *new]))


def _parametric(found: pa.DataType) -> pa.DataType | None:
    if isinstance(found, pa.TimestampType):
        return pa.timestamp("us", tz=None if found.tz is None else "UTC")
    if isinstance(found, _DECIMALS):
        fits = found.precision <= _DECIMAL_DIGITS and found.scale >= 0
        return pa.decimal128(found.precision, found.scale) if fits else None
    return pa.binary() if isinstance(found, pa.FixedSizeBinaryType) else None


def _nested(found: pa.DataType, column: str) -> pa.DataType | None:
    if isinstance(found, pa.DictionaryType):
        return delta_type(found.value_type, column)
    if isinstance(found, pa.MapType):
        return pa.map_(
            delta_type(found.key_type, f"{column}.key"),
            delta_type(found.item_type, f"{column}.value"),
        )
    if isinstance(found, pa.StructType) and found.num_fields:
        fields = (found.field(i) for i in range(found.num_fields))
        return pa.struct(
            [(f.name, delta_type(f.type, f"{column}.{f.name}")) for f in fields]
        )
    if isinstance(found, _LISTS):
        inner = delta_type(found.value_type, f"{column}.element")
        return pa.list_(pa.field("element", inner))
    return None


def _advice(found: pa.DataType) -> str:
    if pa.types.is_null(found):
        return "it has nothing but NULLs: cast it to the type that it will have"
    if pa.types.is_uint64(found):
        return "cast it to int64, or to decimal(20, 0) if it needs the upper half"
    return "cast it to a type that Delta has, such as string, bigint or timestamp"
