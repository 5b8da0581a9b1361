"""From an asset's `layout` metadata to the layout of its files."""

from collections.abc import Mapping, Sequence
from typing import Any

from dagster_dfsession.delta.layout import Layout
from dagster_dfsession.errors import DeltaError, ProfileError, did_you_mean, listing
from dagster_dfsession.profile.delta import DeltaProfile
from dagster_dfsession.session.machine import UNITS, pool_bytes

LAYOUT = "layout"
_SORT_BY = "sort_by"
_Z_ORDER_BY = "z_order_by"
_FILE_SIZE = "target_file_size"


def asset_layout(metadata: Mapping[str, Any], asset: str) -> Layout:
    """Return what an asset's `layout` metadata says of its files.

    It is a mapping of `sort_by` or `z_order_by` and fields of the profile's `delta`; a
    file size may be text, `64M`.

    Raises:
        DeltaError: It is no such mapping, a value is none of its field, or it asks for
            two orders.

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
    known = (_SORT_BY, _Z_ORDER_BY, *DeltaProfile.__struct_fields__)
    for name in stated:
        if name not in known:
            raise DeltaError(
                f"the layout of asset {asset!r} has {name!r}, which is none of "
                f"{listing(known)}.{did_you_mean(str(name), known)}"
            )
    changes = {
        name: value
        for name, value in stated.items()
        if name not in (_SORT_BY, _Z_ORDER_BY)
    }
    size = changes.get(_FILE_SIZE)
    if isinstance(size, str) and size.rstrip("KMG").isdigit():
        size = changes[_FILE_SIZE] = pool_bytes(size, 0)
    try:
        options = DeltaProfile(**changes)
    except ProfileError as error:
        sizes = f"; it is bytes, or text with one of {listing(filter(None, UNITS))}"
        of_size = f"{sizes}, as '64M'" if isinstance(size, str) else ""
        raise DeltaError(f"the layout of asset {asset!r}: {error}{of_size}") from None
    sort_by, z_order_by = (
        _columns(stated.get(name, ()), name, asset) for name in (_SORT_BY, _Z_ORDER_BY)
    )
    if sort_by and z_order_by:
        raise DeltaError(
            f"the layout of asset {asset!r} has sort_by {list(sort_by)} and z_order_by "
            f"{list(z_order_by)}, and rows have one order; leave one of them out"
        )
    return Layout(
        sort_by=sort_by,
        z_order_by=z_order_by,
        stated=tuple(changes),
        options=options,
    )


def _columns(stated: Any, name: str, asset: str) -> tuple[str, ...]:
    if isinstance(stated, str):
        return (stated,)
    if isinstance(stated, Sequence) and all(isinstance(name, str) for name in stated):
        return tuple(stated)
    raise DeltaError(
        f"the layout of asset {asset!r} has {name} {stated!r}; give names of columns, "
        "as ['day', 'carrier']"
    )
