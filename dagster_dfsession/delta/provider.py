"""What DataFusion is given to read a Delta table with."""

import functools
import logging
import operator
from typing import cast

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable

from dagster_dfsession.delta.arrow_types import table_schema
from dagster_dfsession.delta.data_files import DataFiles
from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.location import Location

LOG = logging.getLogger("dagster_dfsession")


def provider_of(table: DeltaTable, location: Location) -> DeltaTable | ds.Dataset:
    """Return what `datafusion.catalog.Table` takes to read a table.

    A local table reads itself. One on an object store cannot, yet: DataFusion 55 does
    not hand a store across the border between the two libraries' engines, and planning
    works but reading ends in `No suitable object store found`. Such a table is read as
    an Arrow dataset of its files.

    A dataset has its filters applied by Arrow, for which NaN is neither less nor
    greater than a number. It knows no deletion vectors and no mapped columns: a table
    that has them is read whole by deltalake, and held in memory.

    Raises:
        DeltaError: The table cannot be read.
    """
    if location.is_local:
        return table
    feature = DataFiles(table, location).reader_feature
    with delta_errors(location.uri, location.secrets):
        if feature is not None:
            LOG.warning(
                "%s has the feature %s, which only deltalake reads, and on an object "
                "store only as a whole: its rows are held in memory",
                location,
                feature,
            )
            rows = pa.RecordBatchReader.from_stream(table.scan()).read_all()
            return ds.dataset(rows.cast(table_schema(table)))
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
