"""How Delta tables are written."""

from typing import Annotated

from msgspec import Meta

from dagster_dfsession.profile.base import MIB, Bytes, Frozen


class DeltaProfile(Frozen, frozen=True):
    """Defaults of a write; an asset's metadata may say otherwise."""

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
    ] = "zstd(3)"
    target_file_size: Annotated[
        Bytes, Meta(description="Bytes at which a data file is closed.")
    ] = 128 * MIB
    max_commit_retries: Annotated[
        int,
        Meta(ge=0, le=1000, description="Tries again after a commit conflict."),
    ] = 15
