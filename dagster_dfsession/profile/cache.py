"""What the engine keeps between the queries of one session."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from msgspec import Meta

from dagster_dfsession.profile.base import MIB, Frozen


class CacheProfile(Frozen, frozen=True):
    """Limits of the engine's own caches; 0 turns one off.

    Attributes:
        list_files_ttl_s: Seconds; None: an entry stays until it is pushed out.
    """

    list_files_limit: Annotated[
        int, Meta(ge=0, description="Bytes of directory listings kept.")
    ] = MIB
    list_files_ttl_s: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Seconds a listing is trusted. Unset: until pushed out."),
    ] = None
    metadata_limit: Annotated[
        int, Meta(ge=0, description="Bytes of Parquet footers kept.")
    ] = 50 * MIB
    file_statistics_limit: Annotated[
        int, Meta(ge=0, description="Bytes of file statistics kept.")
    ] = 20 * MIB


CACHE_PRESETS: Mapping[str, CacheProfile] = MappingProxyType(
    {
        "snapshot_pinned": CacheProfile(
            list_files_limit=64 * MIB, metadata_limit=128 * MIB
        ),
        "always_latest": CacheProfile(
            list_files_limit=64 * MIB, list_files_ttl_s=30, metadata_limit=128 * MIB
        ),
        "isolated": CacheProfile(
            list_files_limit=0, metadata_limit=0, file_statistics_limit=0
        ),
    }
)
