"""Columns as people declare them: an Arrow schema, a class, or names and types."""

import contextlib
import dataclasses
import datetime as dt
import typing
from collections.abc import Mapping
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Union

import msgspec
import pyarrow as pa
from datafusion import SessionContext

from dagster_dfsession.errors import ContractError

_HELD_AS: Mapping[Any, pa.DataType] = MappingProxyType(
    {
        bool: pa.bool_(),
        int: pa.int64(),
        float: pa.float64(),
        str: pa.string(),
        bytes: pa.binary(),
        dt.date: pa.date32(),
        dt.datetime: pa.timestamp("us", tz="UTC"),
    }
)


def declared_schema(declared: Any) -> pa.Schema:
    """Return declared columns as an Arrow schema.

    Args:
        declared: An Arrow schema; a msgspec Struct or a dataclass, whose fields take
            NULL where they are `X | None`, and whose types may be Arrow's own,
            `Annotated[Decimal, pa.decimal128(10, 2)]`; or a mapping of names to types,
            as Arrow (`int64`) or SQL (`decimal(10, 2)`) spells them.

    Raises:
        ContractError: It is none of these, or a type is not known.

    Examples:
        >>> declared_schema({"id": "int64", "price": "decimal(10, 2)"}).types
        [DataType(int64), Decimal128Type(decimal128(10, 2))]
        >>> @dataclasses.dataclass
        ... class Flight:
        ...     carrier: str
        ...     delay: float | None
        >>> [(f.name, str(f.type), f.nullable) for f in declared_schema(Flight)]
        [('carrier', 'string', False), ('delay', 'double', True)]
    """
    if isinstance(declared, pa.Schema):
        return declared
    if isinstance(declared, Mapping):
        return pa.schema(
            [(name, _named_type(name, spelt)) for name, spelt in declared.items()]
        )
    names = _field_names(declared)
    hints = typing.get_type_hints(declared, include_extras=True)
    return pa.schema([_field(name, hints[name]) for name in names])


def _field_names(declared: Any) -> list[str]:
    if isinstance(declared, type) and issubclass(declared, msgspec.Struct):
        return list(declared.__struct_fields__)
    if isinstance(declared, type) and dataclasses.is_dataclass(declared):
        return [field.name for field in dataclasses.fields(declared)]
    raise ContractError(
        f"the schema of a contract is {declared!r}, a {type(declared).__name__}; give "
        "a pyarrow.Schema, a msgspec.Struct or dataclass class, or a mapping of column "
        "names to types such as {'id': 'int64'}"
    )


def _named_type(column: str, spelt: Any) -> pa.DataType:
    """Return a type by Arrow's name of it, or else by that of SQL."""
    if isinstance(spelt, pa.DataType):
        return spelt
    # What is no name of Arrow's may be one of SQL's.
    with contextlib.suppress(TypeError, ValueError, AttributeError):
        named: pa.DataType = pa.type_for_alias(spelt)
        return named
    try:
        nothing = SessionContext().read_empty()
        expression = nothing.parse_sql_expr(f"CAST(NULL AS {spelt})")
        typed: pa.Schema = nothing.select(expression.alias("typed")).schema()
    except Exception as error:
        raise ContractError(
            f"the column {column!r} is declared as {spelt!r}, which is no type: give "
            "Arrow's name (int64, string, date32, timestamp[us]) or that of SQL "
            "(bigint, decimal(10, 2), timestamp with time zone)"
        ) from error
    held: pa.DataType = typed.field(0).type
    return held


def _field(name: str, hint: Any) -> "pa.Field[Any]":
    return pa.field(name, _hinted_type(name, hint), nullable=_takes_none(hint))


def _takes_none(hint: Any) -> bool:
    if typing.get_origin(hint) is Annotated:
        return _takes_none(hint.__origin__)
    return NoneType in _choices(hint)


def _choices(hint: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(hint) in (Union, UnionType)
    return typing.get_args(hint) if is_union else (hint,)


def _hinted_type(name: str, hint: Any) -> pa.DataType:
    if typing.get_origin(hint) is Annotated:
        stated = [each for each in hint.__metadata__ if isinstance(each, pa.DataType)]
        return stated[0] if stated else _hinted_type(name, hint.__origin__)
    kinds = [kind for kind in _choices(hint) if kind is not NoneType]
    if len(kinds) == 1 and kinds[0] is not hint:
        return _hinted_type(name, kinds[0])
    if typing.get_origin(hint) is list:
        [inner] = typing.get_args(hint)
        return pa.list_(_hinted_type(name, inner))
    if hint in _HELD_AS:
        return _HELD_AS[hint]
    raise ContractError(
        f"the column {name!r} is declared as {hint!r}, which says no Arrow type: use "
        "bool, int, float, str, bytes, date, datetime (with a time zone), a list of "
        "them, or Annotated[..., pyarrow.decimal128(10, 2)]"
    )
