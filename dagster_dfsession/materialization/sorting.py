"""Rows in the order that a layout asks for, sorted by an engine that can spill."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
from datafusion import DataFrame, col

from dagster_dfsession.plan.quoting import quoted_identifier
from dagster_dfsession.query.spool import spooled
from dagster_dfsession.query.stream import Execution
from dagster_dfsession.session.session import Session


def sorted_frame(frame: DataFrame, columns: Sequence[str]) -> DataFrame:
    """Return a frame sorted by those of the columns that it has, NULLs last."""
    names = frame.schema().names
    keys = [
        col(quoted_identifier(name)).sort(ascending=True, nulls_first=False)
        for name in columns
        if name in names
    ]
    return frame.sort(*keys) if keys else frame


def sorted_reader(
    reader: pa.RecordBatchReader, columns: Sequence[str], session: Session, doing: str
) -> pa.RecordBatchReader:
    """Return a stream sorted likewise: set aside on disk, then read by the engine."""
    if not columns:
        return reader

    def batches() -> Iterator[pa.RecordBatch]:
        with spooled(reader, session.spill_dir) as path:
            frame = sorted_frame(session.ctx.read_arrow(str(path)), columns)
            yield from Execution(frame, doing).reader.cast(reader.schema)

    return pa.RecordBatchReader.from_batches(reader.schema, batches())
