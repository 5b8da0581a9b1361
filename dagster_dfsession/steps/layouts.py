"""From an asset's `layout` metadata to the layout of its files."""

from collections.abc import Mapping, Sequence
from typing import Any

from dagster_dfsession.delta.layout import Layout
from dagster_dfsession.errors import DeltaError, ProfileError, did_you_mean, listing
from dagster_dfsession.profile.delta import DeltaProfile
from dagster_dfsession.session.machine import UNITS, pool_bytes

LAYOUT = "layout"
_SORT_BY = "sort_by"
_FILE_SIZE = "target_file_size"


def asset_layout(metadata: Mapping[str, Any], asset: str) -> Layout:
    """Return what an asset's `layout` metadata says of its files.

    It is a mapping of `sort_by` and fields of the profile's `delta`; a file size may
    be text, `64M`.

    Raises:
        DeltaError: It is no such mapping, or a value is none of its field.

    Examples:
        >>> stated = {"sort_by": ["day"], "target_file_size": "64M"}
        >>> asset_layout({"layout": stated}, "flights").options.target_file_size
        67108864
    """
    stated = metadata.get(LAYOUT)
    if stated is None:
        return Layout()
    if not isinstance(stated, Mapping):
        raise DeltaError(
            f"the layout of asset {asset!r} is {stated!r}; give a mapping such as "
            "{'sort_by': ['day'], 'target_file_size': '64M'}"
        )
    known = (_SORT_BY, *DeltaProfile.__struct_fields__)
    for name in stated:
        if name not in known:
            raise DeltaError(
                f"the layout of asset {asset!r} has {name!r}, which is none of "
                f"{listing(known)}.{did_you_mean(str(name), known)}"
            )
    changes = {name: value for name, value in stated.items() if name != _SORT_BY}
    size = changes.get(_FILE_SIZE)
    if isinstance(size, str) and size.rstrip("KMG").isdigit():
        changes[_FILE_SIZE] = pool_bytes(size, 0)
    try:
        options = DeltaProfile(**changes)
    except ProfileError as error:
        raise DeltaError(
            f"the layout of asset {asset!r}: {error}; a file size is bytes or text "
            f"with one of {listing(filter(None, UNITS))}, as '64M'"
        ) from None
    return Layout(
        sort_by=_columns(stated.get(_SORT_BY, ()), asset),
        stated=tuple(changes),
        options=options,
    )


def _columns(stated: Any, asset: str) -> tuple[str, ...]:
    if isinstance(stated, str):
        return (stated,)
    if isinstance(stated, Sequence) and all(isinstance(name, str) for name in stated):
        return tuple(stated)
    raise DeltaError(
        f"the layout of asset {asset!r} has sort_by {stated!r}; give names of columns, "
        "as ['day', 'carrier']"
    )
