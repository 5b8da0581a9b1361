"""The one door for profiles that come from outside: config, files, records."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dagster_dfsession.errors import ProfileError, did_you_mean, listing
from dagster_dfsession.profile.cache import CACHE_PRESETS
from dagster_dfsession.profile.fields import (
    form_at,
    leaf_fields,
    shape_of,
    structs_at,
    words_at,
)
from dagster_dfsession.profile.hardening import HARDENING_PRESETS
from dagster_dfsession.profile.named import resolved
from dagster_dfsession.profile.presets import PRESETS
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.profile.sql import SQL_POLICIES

NAMED_PARTS: Mapping[str, Mapping[str, Any]] = {
    "cache": CACHE_PRESETS,
    "hardening": HARDENING_PRESETS,
    "sql.policy": SQL_POLICIES,
}


def parse_profile(
    data: Mapping[str, Any], *, base: SessionProfile | str | None = None
) -> SessionProfile:
    """Read a profile from plain data, laid over `base` if there is one.

    Args:
        data: Nested mappings, as JSON or YAML would give them. A part that is a
            tagged choice (`{"kind": "greedy", ...}`) replaces the base's choice if
            the kinds differ, and is laid over it if they are the same. A part that
            has presets takes a name, or `{"preset": name, ...}` with changes to it.
        base: A profile, the name of a preset, or None.

    Raises:
        ProfileError: The data is no profile; the message says where and why.

    Examples:
        >>> dev = parse_profile({"execution": {"batch_size": 4096}}, base="dev")
        >>> dev.name, dev.execution.batch_size
        ('dev', 4096)
        >>> parse_profile({"execution": {"batchsize": 1}}, base="dev")
        Traceback (most recent call last):
        dagster_dfsession.errors.ProfileError: $.execution: Object contains unknown
        field `batchsize`. Did you mean 'batch_size'? It has: ...
    """
    if not isinstance(data, Mapping):
        raise ProfileError.at("$", f"Expected `object`, got {type(data).__name__}")
    if isinstance(base, str):
        base = preset(base)
    laid = _with_named_parts(data)
    whole = laid if base is None else _laid_over(dump_profile(base), laid)
    try:
        return msgspec.convert(whole, SessionProfile)
    except msgspec.ValidationError as error:
        raise _profile_error(str(error)) from None


def dump_profile(profile: SessionProfile) -> dict[str, Any]:
    """Return the profile as the plain data of JSON: the inverse of `parse_profile`.

    Examples:
        >>> parse_profile(dump_profile(preset("prod"))) == preset("prod")
        True
    """
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(profile))
    return plain


def preset(name: str) -> SessionProfile:
    """Return the preset of this name.

    Raises:
        ProfileError: There is none; the message lists those there are.
    """
    if name not in PRESETS:
        raise ProfileError.unknown_name("preset", name, PRESETS)
    return PRESETS[name]


def _with_named_parts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return data in which each part that starts from a preset is whole."""
    named = dict(data)
    for path, presets in NAMED_PARTS.items():
        *outer, name = path.split(".")
        holder = named
        for key in outer:
            if not isinstance(holder.get(key), Mapping):
                break
            holder[key] = dict(holder[key])
            holder = holder[key]
        else:
            if isinstance(holder.get(name), Mapping) and "preset" in holder[name]:
                changes = dict(holder[name])
                start = _part(path, changes.pop("preset"), presets)
                holder[name] = msgspec.to_builtins(start) | changes
    return named


def _part(path: str, name: object, presets: Mapping[str, Any]) -> Any:
    where = f"$.{path}.preset"
    if not isinstance(name, str):
        raise ProfileError.at(where, f"Expected `str`, got {type(name).__name__}")
    try:
        return resolved("preset", name, presets)
    except ProfileError as error:
        raise ProfileError.at(where, str(error)) from None


def _laid_over(base: Any, data: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(data, Mapping)):
        return data
    if data.get("kind", base.get("kind")) != base.get("kind"):
        return data
    return base | {key: _laid_over(base.get(key), data[key]) for key in data}


def _profile_error(text: str) -> ProfileError:
    # msgspec ends with " - at `$.a.b`", or with " - at `key` in `$.a.b`".
    reason, _, place = text.partition(" - at `")
    path = place.rstrip("`").rpartition("`")[2] or "$"
    unknown = reason.partition("unknown field `")[2].rstrip("`")
    if unknown:
        structs = structs_at(SessionProfile, path)
        known = {name for struct in structs for name in struct.__struct_fields__}
        reason += f".{did_you_mean(unknown, known)} It has: {_fields_of(structs)}."
        reason += _elsewhere(unknown)
    elif path.endswith(".kind"):
        structs = structs_at(SessionProfile, path.removesuffix(".kind"))
        kinds = [str(struct.__struct_config__.tag) for struct in structs]
        reason += f"; known: {listing(kinds)}."
    elif reason.startswith("Invalid enum value"):
        words, given = words_at(SessionProfile, path), reason.split("'")[1]
        reason += f"; known: {listing(words)}.{did_you_mean(given, words)}"
    elif "matching regex" in reason:
        reason = f"Expected {form_at(SessionProfile, path)}"
    elif reason.startswith("Expected `object`"):
        structs = structs_at(SessionProfile, path)
        one = len(structs) == 1
        reason += f"; {shape_of(structs[0]) if one else _fields_of(structs)}."
    return ProfileError.at(path, reason)


def _elsewhere(name: str) -> str:
    """Return where another part has a field of this name, with a leading space."""
    paths = (leaf.path for leaf in leaf_fields(SessionProfile))
    found = [path for path in paths if path.endswith(f".{name}")]
    return f" The profile has {listing(found)}." if found else ""


def _fields_of(structs: Sequence[type[msgspec.Struct]]) -> str:
    if len(structs) == 1:
        return listing(structs[0].__struct_fields__)
    return "; ".join(
        f"as {struct.__struct_config__.tag!r} {listing(struct.__struct_fields__)}"
        for struct in structs
    )
