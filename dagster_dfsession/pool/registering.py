"""Data of a run as tables of its session."""

import re
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from datafusion import DataFrame
from datafusion.catalog import Table
from deltalake import DeltaTable

from dagster_dfsession.errors import UnsupportedTypeError
from dagster_dfsession.plan.quoting import quoted_identifier
from dagster_dfsession.query.content import content_digest
from dagster_dfsession.session.catalog import TableName
from dagster_dfsession.session.session import Session

NAME = re.compile("[a-z_][a-z0-9_]*")


def check_name(name: str) -> None:
    """Refuse a name that SQL would have to quote.

    Raises:
        UnsupportedTypeError: It is one.
    """
    if not NAME.fullmatch(name):
        raise UnsupportedTypeError(
            f"{name!r} cannot name a table here: use lower-case letters, digits "
            "and underscores, and begin with no digit"
        )


def register_data(session: Session, scoped: str, data: Any) -> str | None:
    """Register data; return a digest of its rows if they are in memory.

    Raises:
        UnsupportedTypeError: The engine cannot read this type.
    """
    name = (session.catalog.default_schema, scoped)
    if isinstance(data, DataFrame):
        session.catalog.add(name, data.into_view())
        return None
    if isinstance(data, DeltaTable | ds.Dataset):
        session.catalog.add(name, Table(data))
        return None
    if not hasattr(data, "__arrow_c_stream__"):
        raise UnsupportedTypeError(
            f"{type(data).__name__} is not a table: pass a datafusion.DataFrame, a "
            "deltalake.DeltaTable, a pyarrow Table, RecordBatchReader or Dataset, or a "
            "frame with an Arrow stream such as a polars or pandas DataFrame"
        )
    rows = pa.table(data)
    batches = rows.to_batches() or [pa.RecordBatch.from_pylist([], rows.schema)]
    session.ctx.register_record_batches(scoped, [batches])
    return content_digest(rows)


def quoted_name(session: Session, name: TableName) -> str:
    """Return a name as SQL that means this table and no other."""
    schema, table = name
    parts = (table,) if schema == session.catalog.default_schema else name
    return ".".join(quoted_identifier(part) for part in parts)
