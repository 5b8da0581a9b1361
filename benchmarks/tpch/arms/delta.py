"""dagster-delta: Arrow tables, which DataFusion queries."""

from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
from dagster_delta import DeltaLakePyarrowIOManager, LocalConfig
from datafusion import SessionContext

from benchmarks.tpch.graph import Graph


def definitions(graph: Graph, out: Path) -> dg.Definitions:
    """Return an asset a table."""

    def raw(name: str, file: Path) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        def table() -> pa.Table:
            return pq.read_table(file)

        return table

    def answer(name: str, text: str) -> dg.AssetsDefinition:
        rows = dg.AssetIn(dagster_type=pa.Table)

        @dg.asset(name=name, ins=dict.fromkeys(graph.reads(name), rows))
        def table(**tables: pa.Table) -> pa.Table:
            ctx = SessionContext()
            for each, rows in tables.items():
                ctx.from_arrow(rows, each)
            return ctx.sql(text).to_arrow_table()

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
