"""How the files of a table are laid out: sizes, order, statistics, Bloom filters."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import (
    BloomFilterProperties,
    ColumnProperties,
    DeltaTable,
    WriterProperties,
)

from dagster_dfsession.errors import SchemaMismatchError, did_you_mean, listing
from dagster_dfsession.profile.base import MIB
from dagster_dfsession.profile.delta import DeltaProfile

_Codec: TypeAlias = Literal[
    "UNCOMPRESSED", "SNAPPY", "GZIP", "BROTLI", "LZ4_RAW", "ZSTD"
]

GIB = 1024 * MIB
_NEW_TABLE_FILE = 128 * MIB
_DIVIDED_FILE = 64 * MIB
"""deltalake holds the file of every open partition in memory until it is closed: seven
of up to 128 MiB took 1.8 GiB, of 32 MiB 1.2."""
_ROW_GROUP_BYTES = 128 * MIB
_ROW_GROUP_ROWS = (32 * 1024, 1024 * 1024)
_TEXT_BYTES = 32
"""What a value of a column is taken for that can be of any length."""

_FILE_BYTES: Mapping[int, int] = MappingProxyType(
    {GIB: 32 * MIB, 32 * GIB: 128 * MIB, 512 * GIB: 512 * MIB}
)
"""Tables below so many bytes -> bytes of a file: few hundred files, and some for each
core. Above all, a gigabyte."""

_INDEXED_FIRST = "delta.dataSkippingNumIndexedCols"
_INDEXED_ONLY = "delta.dataSkippingStatsColumns"


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What an asset says of its files.

    Attributes:
        sort_by: Columns to sort the rows of a write by.
        z_order_by: Columns to cluster the partitions of a write by, once it is there.
        stated: Fields of `options` that it says; the profile says the others.
        options: The values of these fields.
    """

    sort_by: tuple[str, ...] = ()
    z_order_by: tuple[str, ...] = ()
    stated: tuple[str, ...] = ()
    options: DeltaProfile = DeltaProfile()

    def over(self, profile: DeltaProfile) -> DeltaProfile:
        """Return the profile with what the asset says in its place.

        Examples:
            >>> snappy = DeltaProfile(compression="snappy", row_group_rows=7)
            >>> layout = Layout(stated=("compression",), options=snappy)
            >>> layout.over(DeltaProfile()).row_group_rows is None
            True
        """
        said = {name: getattr(self.options, name) for name in self.stated}
        return msgspec.structs.replace(profile, **said)


def check_layout(
    layout: Layout, options: DeltaProfile, schema: pa.Schema, asset: str
) -> None:
    """Refuse a layout by columns that are not there.

    Raises:
        SchemaMismatchError: One is not.
    """
    named = {
        "sort_by": layout.sort_by,
        "z_order_by": layout.z_order_by,
        "bloom_filters": tuple(each.column for each in options.bloom_filters),
        "statistics": _only(options.statistics),
    }
    for what, columns in named.items():
        for name in columns:
            if name not in schema.names:
                raise SchemaMismatchError(
                    f"{asset}: {what} names the column {name!r}, which the frame does "
                    f"not have; it has {listing(schema.names)}."
                    f"{did_you_mean(name, schema.names)}"
                )


def writer_properties(options: DeltaProfile, schema: pa.Schema) -> WriterProperties:
    """Return deltalake's properties for files of these columns.

    Examples:
        >>> writer_properties(DeltaProfile(), pa.schema({"n": pa.int64()}))
        WriterProperties()
    """
    codec, _, level = options.compression.rstrip(")").partition("(")
    return WriterProperties(
        compression=cast("_Codec", codec.upper()),
        compression_level=int(level) if level else None,
        max_row_group_size=options.row_group_rows or row_group_rows(schema),
        column_properties={
            each.column: ColumnProperties(
                bloom_filter_properties=BloomFilterProperties(
                    set_bloom_filter_enabled=True,
                    fpp=1 / each.one_in,
                    ndv=each.distinct_values,
                )
            )
            for each in options.bloom_filters
        },
    )


def row_group_rows(schema: pa.Schema) -> int:
    """Return how many rows of these columns take some 128 MiB, within bounds.

    Examples:
        >>> row_group_rows(pa.schema({"n": pa.int64()}))
        1048576
        >>> row_group_rows(pa.schema({f"c{i}": pa.string() for i in range(16)}))
        262144
    """
    low, high = _ROW_GROUP_ROWS
    width = sum(_width(field.type) for field in schema)
    return min(max(_ROW_GROUP_BYTES // max(width, 1), low), high)


def target_file_size(
    options: DeltaProfile, table: DeltaTable | None, partition_by: Iterable[str]
) -> int:
    """Return the bytes at which a data file is closed.

    Args:
        options: What is asked for, if it is.
        table: Where the rows go; None: it is new.
        partition_by: Columns that divide the files of a new table.
    """
    if options.target_file_size is not None:
        return options.target_file_size
    if table is None:
        return _DIVIDED_FILE if any(True for _ in partition_by) else _NEW_TABLE_FILE
    held = pa.table(table.get_add_actions())
    total = pc.sum(held.column("size_bytes")).as_py() or 0
    if not total:
        size = _NEW_TABLE_FILE
    else:
        size = next((b for limit, b in _FILE_BYTES.items() if total < limit), GIB)
    divided = bool(table.metadata().partition_columns)
    return min(size, _DIVIDED_FILE) if divided else size


def statistics_properties(options: DeltaProfile) -> dict[str, str]:
    """Return the table properties by which the log has statistics of these columns.

    deltalake heeds the table's properties alone: what its writer is told decides only
    what the Parquet files hold.

    Examples:
        >>> statistics_properties(DeltaProfile(statistics="only(id, day)"))
        {'delta.dataSkippingStatsColumns': 'id,day'}
    """
    if options.statistics is None:
        return {}
    kind, _, stated = options.statistics.rstrip(")").partition("(")
    if kind == "only":
        return {_INDEXED_ONLY: ",".join(_only(options.statistics))}
    return {_INDEXED_FIRST: "-1" if kind == "all" else stated}


def _only(statistics: str | None) -> tuple[str, ...]:
    kind, _, stated = (statistics or "").rstrip(")").partition("(")
    return tuple(n.strip() for n in stated.split(",")) if kind == "only" else ()


def _width(found: pa.DataType) -> int:
    try:
        return max(found.bit_width // 8, 1)
    except ValueError:  # of any length
        return _TEXT_BYTES
