"""dagster-deltalake-pandas: pandas frames, which DataFusion queries."""

from pathlib import Path

import dagster as dg
import pandas as pd
from dagster_deltalake import LocalConfig
from dagster_deltalake_pandas import DeltaLakePandasIOManager
from datafusion import SessionContext

from benchmarks.tpch.graph import Graph


def definitions(graph: Graph, out: Path) -> dg.Definitions:
    """Return an asset a table."""

    def raw(name: str, file: Path) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        def table() -> pd.DataFrame:
            return pd.read_parquet(file, dtype_backend="pyarrow")

        return table

    def answer(name: str, text: str) -> dg.AssetsDefinition:
        rows = dg.AssetIn(dagster_type=pd.DataFrame)

        @dg.asset(name=name, ins=dict.fromkeys(graph.reads(name), rows))
        def table(**tables: pd.DataFrame) -> pd.DataFrame:
            ctx = SessionContext()
            for each, rows in tables.items():
                ctx.from_pandas(rows, each)
            return ctx.sql(text).to_pandas()

        return table

    return dg.Definitions(
        [
            *(raw(*each) for each in graph.raw.items()),
            *(answer(*each) for each in graph.queries.items()),
        ],
        resources={
            "io_manager": DeltaLakePandasIOManager(
                root_uri=str(out), storage_options=LocalConfig()
            )
        },
    )
