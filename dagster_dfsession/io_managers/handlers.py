"""From a table of the session to the type that an asset's parameter asks for."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import pyarrow as pa
from datafusion import DataFrame

from dagster_dfsession.delta.arrow_types import delta_schema
from dagster_dfsession.errors import UnsupportedTypeError, listing
from dagster_dfsession.plan.quoting import quoted_identifier
from dagster_dfsession.query.stream import Execution

Loader = Callable[[DataFrame, str], Any]

DELTA_TABLE = "deltalake.DeltaTable"
CHANGES_TYPE = "dagster_dfsession.Changes"


def type_name(annotation: Any) -> str | None:
    """Return what a parameter asks for, as `LOADERS` names it; None: nothing.

    `pa.Table | None` asks for a pyarrow Table.

    Examples:
        >>> type_name(pa.Table | None)
        'pyarrow.Table'
    """
    wanted = _without_none(annotation)
    if wanted in (Any, None):
        return None
    qualified = getattr(wanted, "__qualname__", None)
    if qualified is None or get_origin(wanted) is not None:
        return str(wanted)
    return f"{wanted.__module__.partition('.')[0]}.{qualified}"


def is_lazy(annotation: Any) -> bool:
    """Whether a parameter is given the query itself, which nothing has read yet.

    Examples:
        >>> is_lazy(DataFrame), is_lazy(pa.Table)
        (True, False)
    """
    return type_name(annotation) in (None, "datafusion.DataFrame")


def takes_none(annotation: Any) -> bool:
    """Whether a parameter is content with None where there is no table.

    Examples:
        >>> takes_none(pa.Table | None), takes_none(pa.Table)
        (True, False)
    """
    return _without_none(annotation) is not annotation


def load_as(annotation: Any, frame: DataFrame, asset: str) -> Any:
    """Return the frame as the annotated type; without one, as it is.

    Args:
        annotation: The type of the parameter; `Any` stands for none.
        frame: The rows asked for; nothing has run yet.
        asset: Name of the upstream asset, for messages.

    Raises:
        UnsupportedTypeError: No table can be had as this type.
    """
    name = type_name(annotation)
    if name is None:
        return frame
    if name not in LOADERS:
        raise UnsupportedTypeError(
            f"{asset} cannot be loaded as {name}; annotate the parameter with one of "
            f"{listing([*LOADERS, DELTA_TABLE])}"
        )
    return LOADERS[name](frame, asset)


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    optional = len(kinds) == 1 and len(get_args(annotation)) > 1
    return kinds[0] if optional else annotation


def _frame(frame: DataFrame, asset: str) -> DataFrame:
    del asset
    return frame


def _reader(frame: DataFrame, asset: str) -> pa.RecordBatchReader:
    """Stream the rows with plain types: not every reader of Arrow has views yet."""
    reader = Execution(frame, f"reading {asset}").reader
    return reader.cast(delta_schema(reader.schema))


def _table(frame: DataFrame, asset: str) -> pa.Table:
    return _reader(frame, asset).read_all()


def _pandas(frame: DataFrame, asset: str) -> Any:
    return _table(frame, asset).to_pandas()


def _polars(frame: DataFrame, asset: str) -> Any:
    import polars as pl  # noqa: PLC0415  # an extra: only who asks for it needs it

    return pl.from_arrow(_table(frame, asset))


def _polars_lazy(frame: DataFrame, asset: str) -> Any:
    """Return a LazyFrame that reads the columns it needs, batch by batch."""
    import polars as pl  # noqa: PLC0415  # as above
    from polars.io.plugins import register_io_source  # noqa: PLC0415

    def batches(
        columns: list[str] | None, predicate: Any, rows: int | None, _: int | None
    ) -> Iterator[Any]:
        wanted = frame
        if columns is not None:
            wanted = wanted.select(*map(quoted_identifier, columns))
        if rows is not None:
            wanted = wanted.limit(rows)
        for batch in _reader(wanted, asset):
            found = pl.from_arrow(pa.Table.from_batches([batch]))
            yield found if predicate is None else found.filter(predicate)

    empty: Any = pl.from_arrow(delta_schema(frame.schema()).empty_table())
    return register_io_source(batches, schema=empty.schema)


LOADERS: Mapping[str, Loader] = MappingProxyType(
    {
        "datafusion.DataFrame": _frame,
        "pyarrow.Table": _table,
        "pyarrow.RecordBatchReader": _reader,
        "pandas.DataFrame": _pandas,
        "polars.DataFrame": _polars,
        "polars.LazyFrame": _polars_lazy,
    }
)
