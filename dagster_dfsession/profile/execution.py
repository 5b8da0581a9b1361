"""How queries are executed: parallelism, batches, Parquet reading."""

from typing import Annotated, Literal

from msgspec import Meta

from dagster_dfsession.profile.base import MIB, Bytes, Frozen


class ParquetProfile(Frozen, frozen=True):
    """How Parquet files are read; none of it changes what a query returns."""

    pushdown_filters: Annotated[
        bool,
        Meta(
            description=(
                "Evaluate filters while decoding, row by row: several times as fast "
                "where few rows of wide tables are left, half as fast where many are."
            )
        ),
    ] = False
    reorder_filters: Annotated[
        bool, Meta(description="Let the engine order pushed filters by their cost.")
    ] = False
    page_index: Annotated[
        bool, Meta(description="Skip pages by the statistics of the page index.")
    ] = True
    bloom_filters: Annotated[
        bool, Meta(description="Use the bloom filters that a file carries.")
    ] = True
    metadata_size_hint: Annotated[
        Bytes,
        Meta(description="Bytes fetched from a file's end in the first request."),
    ] = MIB
    predicate_cache_limit: Annotated[
        int,
        Meta(ge=0, description="Bytes kept of columns decoded for a pushed filter."),
    ] = 64 * MIB


class ExecutionProfile(Frozen, frozen=True):
    """How a query is cut into pieces and how large they are.

    Attributes:
        target_partitions: None: the number of CPUs of the machine that runs it.
        planning_concurrency: None: the number of CPUs.
    """

    target_partitions: Annotated[
        Annotated[int, Meta(ge=1, le=65536)] | None,
        Meta(description="Parallel partitions of a query. Unset: number of CPUs."),
    ] = None
    batch_size: Annotated[
        int, Meta(ge=1, le=2**31 - 1, description="Rows in a record batch.")
    ] = 8192
    planning_concurrency: Annotated[
        Annotated[int, Meta(ge=1, le=65536)] | None,
        Meta(description="Subplans planned at once. Unset: number of CPUs."),
    ] = None
    meta_fetch_concurrency: Annotated[
        int, Meta(ge=1, le=65536, description="File footers fetched at once.")
    ] = 8
    collect_statistics: Annotated[
        bool, Meta(description="Read file statistics when a table is opened.")
    ] = True
    prefer_hash_join: Annotated[
        bool,
        Meta(description="Hash join over sort-merge join; the latter can spill."),
    ] = True
    repartition_file_min_size: Annotated[
        Bytes, Meta(description="Smallest file, in bytes, that is scanned in parts.")
    ] = MIB
    sort_spill_reservation: Annotated[
        Bytes, Meta(description="Bytes a spilling sort keeps back for its merge.")
    ] = 10 * MIB
    spill_compression: Annotated[
        Literal["uncompressed", "lz4_frame", "zstd"],
        Meta(description="Compression of spilled batches."),
    ] = "lz4_frame"
    parquet: Annotated[ParquetProfile, Meta(description="How Parquet is read.")] = (
        ParquetProfile()
    )
