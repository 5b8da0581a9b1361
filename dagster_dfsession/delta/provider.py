"""What DataFusion is given to read a Delta table with."""

import functools
import operator
from typing import cast

import pyarrow.dataset as ds
from deltalake import DeltaTable

from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.location import Location
from dagster_dfsession.errors import DeltaError


def provider_of(table: DeltaTable, location: Location) -> DeltaTable | ds.Dataset:
    """Return what `datafusion.catalog.Table` takes to read a table.

    A local table reads itself. One on an object store cannot, yet: DataFusion 55 does
    not hand a store across the border between the two libraries' engines, and planning
    works but reading ends in `No suitable object store found`. Such a table is read as
    an Arrow dataset of its files.

    A dataset has its filters applied by Arrow, for which NaN is neither less nor
    greater than a number, and which has no binary for deletion vectors and renamed
    columns.

    Raises:
        DeltaError: The table is on an object store and has such a feature.
    """
    if location.is_local:
        return table
    with delta_errors(location.uri, location.secrets):
        if table.metadata().configuration.get("delta.columnMapping.mode", "none") != (
            "none"
        ):
            raise DeltaError(
                f"{location}: the table maps its columns to other names, and such a "
                "table can only be read in a local directory; write it anew without "
                "the property delta.columnMapping.mode"
            )
        dataset = cast("ds.FileSystemDataset", table.to_pyarrow_dataset())
    columns = frozenset(table.metadata().partition_columns)
    files = [
        dataset.format.make_fragment(
            file.path,
            filesystem=dataset.filesystem,
            partition_expression=_partition(file, columns),
        )
        for file in dataset.get_fragments()
    ]
    return ds.FileSystemDataset(
        files, dataset.schema, dataset.format, dataset.filesystem
    )


def _partition(file: ds.Fragment, columns: frozenset[str]) -> ds.Expression:
    """What a file's partition values say of its rows.

    deltalake adds the file's statistics, which leave out infinite numbers: a filter
    that prunes by them loses such rows.
    """
    values = ds.get_partition_keys(file.partition_expression)
    known = [
        ds.field(name).is_null() if value is None else ds.field(name) == value
        for name, value in values.items()
        if name in columns
    ]
    return functools.reduce(operator.and_, known, ds.scalar(True))  # noqa: FBT003  # an Arrow literal
