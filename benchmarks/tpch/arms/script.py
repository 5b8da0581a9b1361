"""A script: the engine and the writer, and nothing else."""

from pathlib import Path

import pyarrow as pa
from datafusion import DataFrame, SessionContext
from deltalake import WriterProperties, write_deltalake

from benchmarks.tpch.graph import Graph

AS_OURS = WriterProperties(compression="SNAPPY")


def run(graph: Graph, out: Path) -> None:
    """Make all tables, one after the other."""
    ctx = SessionContext()
    for name, file in graph.raw.items():
        write(ctx.read_parquet(file), out / name)
        ctx.register_parquet(name, out / name)
    for name, text in graph.queries.items():
        write(ctx.sql(text), out / name)


def write(frame: DataFrame, table: Path) -> None:
    """Write a query's rows as they come."""
    batches = (batch.to_pyarrow() for batch in frame.execute_stream())
    rows = pa.RecordBatchReader.from_batches(frame.schema(), batches)
    write_deltalake(table, rows, mode="overwrite", writer_properties=AS_OURS)
