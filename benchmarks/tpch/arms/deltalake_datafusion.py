"""dagster-deltalake, read through `register_table` and written as a stream."""

from pathlib import Path

import dagster as dg
import pyarrow as pa
from dagster_deltalake import DeltaLakePyarrowIOManager, LocalConfig
from datafusion import DataFrame, SessionContext
from deltalake import DeltaTable

from benchmarks.tpch.graph import Graph


def definitions(graph: Graph, out: Path) -> dg.Definitions:
    """Return an asset a table."""

    def raw(name: str, file: Path) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        def table() -> pa.RecordBatchReader:
            return streamed(SessionContext().read_parquet(file))

        return table

    def answer(name: str, text: str) -> dg.AssetsDefinition:
        @dg.asset(name=name, deps=graph.reads(name))
        def table() -> pa.RecordBatchReader:
            ctx = SessionContext()
            for each in graph.reads(name):
                ctx.register_table(each, DeltaTable(out / "public" / each))
            return streamed(ctx.sql(text))

        return table

    return dg.Definitions(
        [
            *(raw(*each) for each in graph.raw.items()),
            *(answer(*each) for each in graph.queries.items()),
        ],
        resources={
            "io_manager": DeltaLakePyarrowIOManager(
                root_uri=str(out), storage_options=LocalConfig()
            )
        },
    )


def streamed(frame: DataFrame) -> pa.RecordBatchReader:
    """Return a query's rows as they come."""
    return pa.RecordBatchReader.from_stream(frame)
