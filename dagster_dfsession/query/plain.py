"""Rows in the types that every reader of Arrow has."""

from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa

_PLAIN: Mapping[pa.DataType, pa.DataType] = MappingProxyType(
    {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
)


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return the columns without views and dictionaries, all else as it is.

    Examples:
        >>> plain_schema(pa.schema({"n": pa.uint64(), "s": pa.string_view()})).types
        [DataType(uint64), DataType(string)]
    """
    return pa.schema([field.with_type(plain_type(field.type)) for field in schema])


def plain_type(found: pa.DataType) -> pa.DataType:
    """Return what a view or a dictionary shows; of a nested type, inside of it too."""
    if isinstance(found, pa.DictionaryType):
        return plain_type(found.value_type)
    if isinstance(found, pa.StructType):
        fields = (found.field(i) for i in range(found.num_fields))
        return pa.struct([f.with_type(plain_type(f.type)) for f in fields])
    if isinstance(found, pa.MapType):
        return pa.map_(plain_type(found.key_type), plain_type(found.item_type))
    if isinstance(found, pa.ListType):
        return pa.list_(found.value_field.with_type(plain_type(found.value_type)))
    return _PLAIN.get(found, found)
