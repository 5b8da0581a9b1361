"""The launchpad's form of a profile: generated, so that no field is written twice."""

import enum
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import msgspec
from pydantic import (
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidatorFunctionWrapHandler,
    create_model,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from dagster_dfsession.config.storage import ENV_VARS, resolved
from dagster_dfsession.profile.base import declared_types
from dagster_dfsession.profile.codec import NAMED_PARTS
from dagster_dfsession.profile.fields import (
    bare,
    choices_of,
    description_of,
    metas_of,
    part_of,
    shape_of,
)
from dagster_dfsession.profile.session import SessionProfile

BOUNDS = ("ge", "le", "gt", "lt", "min_length", "max_length", "pattern")
NULL = {"type": "null"}


class ProfilePart(dg.Config):
    """Base of the generated classes: every field may be left out, none is unknown."""

    model_config = ConfigDict(extra="forbid")

    def __iter__(self) -> Iterator[tuple[str, Any]]:  # type: ignore[override]  # as pydantic's own
        """Yield what was given, which is all that the page is to show."""
        return (
            (name, value) for name, value in super().__iter__() if value is not None
        )

    @field_validator("*", mode="wrap")
    @classmethod
    def _leave_variables(cls, value: Any, check: ValidatorFunctionWrapHandler) -> Any:
        """Check a variable's value where it is known: in the run."""
        return value if isinstance(value, ENV_VARS) else check(value)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Leave out null: who checks a choice can name no line inside of it."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema)["properties"]
        for name, field in properties.items():
            kinds = [kind for kind in field.pop("anyOf", []) if kind != NULL]
            one = kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {}
            properties[name] = {**field, **one}
        return schema


def _absent() -> None:
    """Be the default of a field: were it a value, the page would show it as null."""


def config_class(
    struct: type[msgspec.Struct], name: str, *, path: str = ""
) -> type[ProfilePart]:
    """Return a Dagster config class with the fields of a struct, all optional."""
    fields = dict(_fields(declared_types(struct), name, path))
    if path in NAMED_PARTS:
        known = ", ".join(sorted(NAMED_PARTS[path]))
        described = Field(
            default_factory=_absent, description=f"Start from a preset: {known}."
        )
        fields["preset"] = (str | None, described)
    return create_model(
        name,
        __base__=ProfilePart,
        __doc__=struct.__doc__,
        __validators__={"_is_object": _checked(struct)},
        **fields,
    )


def _checked(struct: type[msgspec.Struct]) -> Any:
    """Return the check that a part is an object; pydantic would name this class."""

    def is_object(_: type[ProfilePart], value: Any) -> Any:
        if isinstance(value, Mapping | dg.Config):
            return value
        given = {"given": type(value).__name__, "shape": shape_of(struct)}
        raise PydanticCustomError(
            "profile_part", "Expected `object`, got `{given}`; {shape}.", given
        )

    return model_validator(mode="before")(classmethod(is_object))  # type: ignore[arg-type]  # pydantic's own way to write it


def _fields(
    declared: Mapping[str, Any], name: str, path: str
) -> Iterator[tuple[str, Any]]:
    for field, kind in declared.items():
        below = f"{path}.{field}".lstrip(".")
        described = Field(
            default_factory=_absent,
            description=description_of(kind),
            **_bounds(kind),
        )
        found = _type(kind, f"{name}{field.title()}", below)
        yield field, (found | None, described)


def _type(declared: Any, name: str, path: str) -> Any:
    part = part_of(declared)
    if part is not None:
        return config_class(part, name, path=path)
    choices = [each for each in choices_of(declared) if each is not types.NoneType]
    if all(
        isinstance(each, type) and issubclass(each, msgspec.Struct) for each in choices
    ):
        return _tagged(choices, name)
    if len(choices) > 1:
        # A size: digits, a suffix or a percent sign, all of which are text.
        return str
    return _plain(bare(choices[0]), name)


def _plain(kind: Any, name: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return _choice(name, arguments)
    if origin is tuple:
        return list[_type(arguments[0], name, "")]  # type: ignore[misc]  # a type made at run time
    return kind


def _tagged(choices: list[type[msgspec.Struct]], name: str) -> type[ProfilePart]:
    """Return one class for a tagged choice: its kind, and the fields of all kinds.

    Which field goes with which kind is the codec's to say, with the field's path.
    """
    kinds = [str(each.__struct_config__.tag) for each in choices]
    declared = {k: v for each in choices for k, v in declared_types(each).items()}
    fields = dict(_fields(declared, name, ""))
    described = Field(
        default_factory=_absent, description=f"One of {', '.join(sorted(kinds))}."
    )
    fields["kind"] = (_choice(f"{name}Kind", kinds) | None, described)
    return create_model(name, __base__=ProfilePart, **fields)


def _choice(name: str, values: Iterable[str]) -> Any:
    """Return an enumeration whose members are called as their values are."""
    return enum.Enum(name, {value: value for value in values})


def _bounds(declared: Any) -> dict[str, Any]:
    """Return the bounds of a field that holds one kind of value, for pydantic."""
    kinds = [each for each in choices_of(declared) if each is not types.NoneType]
    if len(kinds) > 1:
        return {}
    metas = (*metas_of(declared), *metas_of(kinds[0]))
    return {
        bound: getattr(meta, bound)
        for meta in metas
        for bound in BOUNDS
        if getattr(meta, bound) is not None
    }


def changes_of(
    profile: dg.Config | None, udfs: Sequence[str], extensions: Sequence[str]
) -> dict[str, Any]:
    """Return the changes to a preset, with the short forms added to what they are for.

    Raises:
        SessionError: A field stands for an environment variable that is not set.
    """
    changes = given(profile)
    modules = [resolved(module, "udfs") for module in udfs]
    if modules:
        functions = changes.setdefault("functions", {})
        functions["modules"] = [*functions.get("modules", []), *modules]
    paths = [{"path": resolved(path, "extensions")} for path in extensions]
    if paths:
        changes["extensions"] = [*changes.get("extensions", []), *paths]
    return changes


def given(part: dg.Config | None, *, path: str = "$") -> dict[str, Any]:
    """Return the fields that were given, as plain data for `parse_profile`.

    Raises:
        SessionError: A field stands for an environment variable that is not set.
    """
    if part is None:
        return {}
    return {
        name: _given(value, f"{path}.{name}")
        for name in type(part).model_fields
        if (value := getattr(part, name)) is not None
    }


def _given(value: Any, path: str) -> Any:
    if isinstance(value, dg.Config):
        return given(value, path=path)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, list):
        return [_given(each, f"{path}[{at}]") for at, each in enumerate(value)]
    if isinstance(value, Mapping):
        return {key: _given(each, f"{path}[{key!r}]") for key, each in value.items()}
    return resolved(value, path)


ProfileConfig = config_class(SessionProfile, "ProfileConfig")
