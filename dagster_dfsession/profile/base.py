"""The base of every struct that describes something: immutable, compared by content."""

import functools
import typing
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

from dagster_dfsession.errors import ProfileError

MIB = 1024 * 1024

Bytes: TypeAlias = Annotated[int, Meta(ge=1, description="a size in bytes")]
Size: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^([1-9][0-9]*[KMG]?|([1-9][0-9]?|100)%)$",
        description="'2G', '512M', or a share of this machine's memory: '50%'",
    ),
]
Identifier: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^[a-z_][a-z0-9_]*$",
        description="a lower-case SQL identifier: letters, digits, underscore",
    ),
]
ImportPath: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?$",
        description="'package.module' or 'package.module:attribute'",
    ),
]


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value: never changed once built, compared by content.

    Building one in Python runs the checks that reading one from a file runs, and
    makes of an argument what reading would: a list becomes the tuple it is declared
    to be. Left alone, msgspec does both only when it decodes.

    Raises:
        ProfileError: A field breaks its declared type or bound.
    """

    def __post_init__(self) -> None:
        defaults = _defaults(type(self))
        for name, declared in declared_types(type(self)).items():
            given = getattr(self, name)
            if given is defaults[name]:
                continue  # right as it is, which a test holds
            try:
                value = msgspec.convert(given, declared)
            except msgspec.ValidationError as error:
                raise ProfileError.at(
                    f"{type(self).__name__}.{name}", str(error)
                ) from None
            force_setattr(self, name, value)


NOT_HASHED = {"hash": False}
"""`Meta(extra=NOT_HASHED)`: the field names a place of this host, not a wish."""


@functools.cache
def declared_types(struct: type[msgspec.Struct]) -> Mapping[str, Any]:
    """Return field name -> declared type, with the `Meta` that annotates it."""
    hints = typing.get_type_hints(struct, include_extras=True)
    return {name: hints[name] for name in struct.__struct_fields__}


@functools.cache
def _defaults(struct: type[msgspec.Struct]) -> Mapping[str, Any]:
    """Return field name -> default, or a mark where every instance makes its own."""
    return {each.name: each.default for each in msgspec.structs.fields(struct)}
