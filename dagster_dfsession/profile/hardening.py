"""Schema hardening: what a query's types depend on."""

import re
import zoneinfo
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from msgspec import Meta

from dagster_dfsession.errors import ProfileError
from dagster_dfsession.profile.base import Frozen


class HardeningProfile(Frozen, frozen=True):
    """Types and zones that could differ from one session to another.

    Attributes:
        time_zone: None: `now()` and casts to timestamptz have no zone.
    """

    time_zone: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="Zone of now() and of casts to timestamptz. Unset: none."),
    ] = "UTC"
    view_types: Annotated[
        bool, Meta(description="Read strings as Utf8View: faster, newer type.")
    ] = True
    expand_views_at_output: Annotated[
        bool, Meta(description="Turn view types into plain ones in a result.")
    ] = False
    binary_as_string: Annotated[
        bool, Meta(description="Read untyped Parquet binary as string.")
    ] = False
    strict_aggregates: Annotated[
        bool, Meta(description="Refuse aggregates whose physical schema differs.")
    ] = True
    ansi_mode: Annotated[
        bool, Meta(description="Raise on overflow and on bad casts, as ANSI SQL does.")
    ] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.time_zone is not None and not _is_zone(self.time_zone):
            raise ProfileError.at(
                "HardeningProfile.time_zone",
                f"{self.time_zone!r} is no time zone; write 'UTC', 'Europe/Vienna' or "
                "'+01:00'",
            )


def _is_zone(name: str) -> bool:
    """Check what the engine takes on trust until a query uses it."""
    # UTC is the default, also on a machine without a database of time zones.
    if name == "UTC" or re.fullmatch(r"[+-](0\d|1\d|2[0-3]):[0-5]\d", name):
        return True
    try:
        zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


HARDENING_PRESETS: Mapping[str, HardeningProfile] = MappingProxyType(
    {
        "hardened": HardeningProfile(view_types=False),
        "arrow_performance": HardeningProfile(view_types=True),
    }
)
