"""What is kept between queries: by the engine in a session, by this package on disk."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, TypeAlias

from msgspec import Meta

from dagster_dfsession.profile.base import MIB, NOT_HASHED, Frozen


class NoPlans(Frozen, frozen=True, tag_field="kind", tag="none"):
    """Plan every query anew."""


class PlansOnDisk(Frozen, frozen=True, tag_field="kind", tag="disk"):
    """Keep what planning a query found out, for later processes.

    It needs the extra `plan-cache`.

    Attributes:
        directory: Made if it is not there. Only who may run code here may write to it.
        size: Bytes; what was kept first goes first.
    """

    directory: Annotated[
        str, Meta(min_length=1, description="Directory.", extra=NOT_HASHED)
    ]
    size: Annotated[int, Meta(ge=MIB, description="Bytes kept, 1 MiB or more.")] = (
        64 * MIB
    )


Plans: TypeAlias = NoPlans | PlansOnDisk


class CacheProfile(Frozen, frozen=True):
    """Limits of the engine's own caches, where 0 turns one off, and kept plans.

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
    plans: Annotated[
        Plans, Meta(description="What is known of queries, kept between processes.")
    ] = NoPlans()


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
