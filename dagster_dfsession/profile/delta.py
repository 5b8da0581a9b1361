"""How Delta tables are written."""

from typing import Annotated, Literal

from msgspec import Meta

from dagster_dfsession.profile.base import Bytes, Frozen


class BloomFilter(Frozen, frozen=True):
    """A Bloom filter on a column, for queries that look up single values of it."""

    column: Annotated[str, Meta(min_length=1, description="The column.")]
    one_in: Annotated[
        int,
        Meta(ge=2, description="One row group in so many is read in vain."),
    ] = 100
    distinct_values: Annotated[
        int,
        Meta(ge=1, description="Distinct values of a row group; more need more bytes."),
    ] = 100_000


class DeltaProfile(Frozen, frozen=True):
    """Defaults of a write; an asset's `layout` metadata may say otherwise."""

    compression: Annotated[
        str,
        Meta(
            pattern=(
                r"^(snappy|uncompressed|lz4_raw|zstd\(([1-9]|1[0-9]|2[0-2])\)"
                r"|gzip\([0-9]\)|brotli\(([0-9]|1[01])\))$"
            ),
            description=(
                "Parquet codec: snappy, lz4_raw, uncompressed, zstd(1..22), "
                "gzip(0..9), brotli(0..11)."
            ),
        ),
    ] = "snappy"
    target_file_size: Annotated[
        Bytes | None,
        Meta(
            description="Bytes at which a data file is closed. Unset: by the size of "
            "the table, and less where its files are divided by partition columns."
        ),
    ] = None
    row_group_rows: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Rows of a Parquet row group. Unset: by the width of the "
            "columns."
        ),
    ] = None
    bloom_filters: Annotated[
        tuple[BloomFilter, ...],
        Meta(description="Columns whose values have a Bloom filter in each row group."),
    ] = ()
    statistics: Annotated[
        Annotated[str, Meta(pattern=r"^(all|first\([0-9]+\)|only\([^()]+\))$")] | None,
        Meta(
            description="Columns of a new table with minimum and maximum in its log: "
            "all, first(32) or only(id, day). Unset: first(32)."
        ),
    ] = None
    max_commit_retries: Annotated[
        int,
        Meta(ge=0, le=1000, description="Tries again after a commit conflict."),
    ] = 15
    protocol: Annotated[
        Literal["error", "warn", "ignore"],
        Meta(
            description="What is done about a table that asks for more than there is."
        ),
    ] = "error"
    max_reader_version: Annotated[
        int, Meta(ge=1, le=3, description="Reader version above which tables do so.")
    ] = 3
    max_writer_version: Annotated[
        int, Meta(ge=1, le=7, description="Writer version above which tables do so.")
    ] = 7
