"""What the structs say of themselves: leaves, descriptions, what is hashed."""

import typing
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from dagster_dfsession.errors import listing
from dagster_dfsession.profile.base import Frozen, declared_types


class Leaf(Frozen, frozen=True):
    """One field of a profile that is not itself a part.

    Attributes:
        path: As `execution.batch_size`.
        type: The declared type, with the `Meta` that bounds it.
        description: For people; never empty.
        hashed: False where the value names a place of this host.
    """

    path: str
    type: Any
    description: str
    hashed: bool


def leaf_fields(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[Leaf]:
    """Walk a struct's fields down to the leaves; a tagged choice is one leaf.

    Examples:
        >>> from dagster_dfsession.profile.cache import CacheProfile
        >>> [leaf.path for leaf in leaf_fields(CacheProfile)][:2]
        ['list_files_limit', 'list_files_ttl_s']
    """
    for name, declared in declared_types(struct).items():
        part = part_of(declared)
        if part is not None:
            yield from leaf_fields(part, f"{prefix}{name}.")
        else:
            yield Leaf(
                path=f"{prefix}{name}",
                type=declared,
                description=description_of(declared),
                hashed=is_hashed(declared),
            )


def metas_of(declared: Any) -> tuple[Meta, ...]:
    """Return the `Meta` of a declared type, outermost last."""
    if typing.get_origin(declared) is not Annotated:
        return ()
    return tuple(m for m in declared.__metadata__ if isinstance(m, Meta))


def description_of(declared: Any) -> str:
    """Return the description nearest to the field, or an empty text."""
    return next(
        (m.description for m in reversed(metas_of(declared)) if m.description), ""
    )


def is_hashed(declared: Any) -> bool:
    """Return whether the field counts in `profile_hash`."""
    return all((m.extra or {}).get("hash", True) for m in metas_of(declared))


def bare(declared: Any) -> Any:
    """Return the type without its `Annotated`."""
    return declared.__origin__ if typing.get_origin(declared) is Annotated else declared


def choices_of(declared: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type alone."""
    return (
        typing.get_args(bare(declared))
        if _is_union(bare(declared))
        else (bare(declared),)
    )


def part_of(declared: Any) -> type[msgspec.Struct] | None:
    """Return the struct that a field always holds, names of presets left aside."""
    structs = [choice for choice in choices_of(declared) if _is_struct(choice)]
    return structs[0] if len(structs) == 1 else None


def structs_at(struct: type[msgspec.Struct], path: str) -> list[type[msgspec.Struct]]:
    """Return the structs that may stand at a path such as `$.runtime.spill`.

    Examples:
        >>> from dagster_dfsession.profile.runtime import RuntimeProfile
        >>> [found.__name__ for found in structs_at(RuntimeProfile, "$.spill")]
        ['SpillToDisk', 'NoSpill']
        >>> from dagster_dfsession.profile.sql import SqlProfile
        >>> [found.__name__ for found in structs_at(SqlProfile, "$.prepared[0]")]
        ['Prepared']
    """
    found = [struct]
    # A value of a mapping is at `$.columns[...]`: no step ends within the brackets.
    steps = path.replace("[...]", "[*]").removeprefix("$").strip(".").split(".")
    for step in steps:
        name, item, _ = step.partition("[")
        if name:
            declared = [declared_types(at).get(name) for at in found]
            if item:
                members = [typing.get_args(bare(each)) for each in declared]
                # Of a mapping the values, of `tuple[X, ...]` and `list[X]` the X.
                declared = [m[0] if m[-1] is ... else m[-1] for m in members if m]
            found = [c for d in declared for c in choices_of(d) if _is_struct(c)]
    return found


def form_at(struct: type[msgspec.Struct], path: str) -> str:
    """Return how the text at a path has to look, for people.

    Examples:
        >>> from dagster_dfsession.profile.session import SessionProfile
        >>> form_at(SessionProfile, "$.runtime.memory_pool.size")
        "'2G', '512M', or a share of this machine's memory: '50%'"
    """
    holder, _, name = path.rpartition(".")
    field = name.partition("[")[0]
    declared = [declared_types(at).get(field) for at in structs_at(struct, holder)]
    members = [m for d in declared for c in choices_of(d) for m in typing.get_args(c)]
    choices = [c for d in (*declared, *members) for c in (d, *choices_of(d))]
    metas = [meta for choice in choices for meta in metas_of(choice) if meta.pattern]
    return next((meta.description for meta in metas if meta.description), name)


def shape_of(struct: type[msgspec.Struct]) -> str:
    """Return what an object needs and may have, for people.

    Examples:
        >>> from dagster_dfsession.profile.extensions import Extension
        >>> shape_of(Extension)
        "it needs path (The extension: 'package' or 'package:factory'.), and may have
        optional"
    """
    declared = declared_types(struct)
    fields = msgspec.structs.fields(struct)
    needed = [
        f"{each.name} ({said})"
        if (said := description_of(declared[each.name]))
        else each.name
        for each in fields
        if each.required
    ]
    others = listing(each.name for each in fields if not each.required)
    return (
        f"it needs {', '.join(needed)}, and may have {others}"
        if needed
        else f"it may have {others}"
    )


def words_at(struct: type[msgspec.Struct], path: str) -> tuple[str, ...]:
    """Return the words that a field may be; none of them: it is no choice of words.

    Examples:
        >>> from dagster_dfsession.profile.bootstrap import BootstrapProfile
        >>> words_at(BootstrapProfile, "$.mode")
        ('plan', 'zero_rows', 'one_row')
    """
    holder, _, name = path.rpartition(".")
    declared = [declared_types(at).get(name) for at in structs_at(struct, holder)]
    choices = [bare(choice) for each in declared for choice in choices_of(each)]
    words = [c for c in choices if typing.get_origin(c) is typing.Literal]
    return tuple(str(word) for each in words for word in typing.get_args(each))


def hashed_payload(value: Any) -> Any:
    """Return plain data of a struct, less the fields that are not hashed."""
    if not isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    config = value.__struct_config__
    tag = {} if config.tag is None else {config.tag_field: config.tag}
    return tag | {
        name: hashed_payload(getattr(value, name))
        for name, declared in declared_types(type(value)).items()
        if is_hashed(declared)
    }


def _is_union(declared: Any) -> bool:
    return typing.get_origin(declared) in {typing.Union, type(int | str)}


def _is_struct(declared: Any) -> bool:
    return isinstance(declared, type) and issubclass(declared, msgspec.Struct)
