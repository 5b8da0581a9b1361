"""From a table of the session to the type that an asset's parameter asks for."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa
from datafusion import DataFrame

from dagster_dfsession.delta.arrow_types import delta_schema
from dagster_dfsession.errors import UnsupportedTypeError, listing
from dagster_dfsession.pool.tables import OpenedTable
from dagster_dfsession.query.stream import Execution

Loader = Callable[[DataFrame, OpenedTable], Any]


def load_as(annotation: Any, frame: DataFrame, opened: OpenedTable) -> Any:
    """Return the frame as the annotated type; without one, as it is.

    Args:
        annotation: The type of the parameter; `Any` stands for none.
        frame: The rows asked for; nothing has run yet.
        opened: The table behind it.

    Raises:
        UnsupportedTypeError: No table can be had as this type.
    """
    if annotation in (Any, None):
        return frame
    name = f"{annotation.__module__.partition('.')[0]}.{annotation.__qualname__}"
    if name not in LOADERS:
        raise UnsupportedTypeError(
            f"{'/'.join(opened.key)} cannot be loaded as {name}; annotate the parameter "
            f"with one of {listing(LOADERS)}"
        )
    return LOADERS[name](frame, opened)


def _frame(frame: DataFrame, opened: OpenedTable) -> DataFrame:
    del opened
    return frame


def _reader(frame: DataFrame, opened: OpenedTable) -> pa.RecordBatchReader:
    """Stream the rows with plain types: not every reader of Arrow has views yet."""
    reader = Execution(frame, f"reading {'/'.join(opened.key)}").reader
    return reader.cast(delta_schema(reader.schema))


def _table(frame: DataFrame, opened: OpenedTable) -> pa.Table:
    return _reader(frame, opened).read_all()


def _delta(frame: DataFrame, opened: OpenedTable) -> Any:
    del frame
    return opened.delta


def _pandas(frame: DataFrame, opened: OpenedTable) -> Any:
    return _table(frame, opened).to_pandas()


def _polars(frame: DataFrame, opened: OpenedTable) -> Any:
    import polars as pl  # noqa: PLC0415  # an extra: only who asks for it needs it

    return pl.from_arrow(_table(frame, opened))


def _polars_lazy(frame: DataFrame, opened: OpenedTable) -> Any:
    return _polars(frame, opened).lazy()


LOADERS: Mapping[str, Loader] = MappingProxyType(
    {
        "datafusion.DataFrame": _frame,
        "pyarrow.Table": _table,
        "pyarrow.RecordBatchReader": _reader,
        "deltalake.DeltaTable": _delta,
        "pandas.DataFrame": _pandas,
        "polars.DataFrame": _polars,
        "polars.LazyFrame": _polars_lazy,
    }
)
