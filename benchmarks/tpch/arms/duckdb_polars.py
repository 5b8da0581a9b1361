"""dagster-duckdb-polars' IO manager: polars frames, in one database file."""

from pathlib import Path

import dagster as dg
import polars as pl
from dagster_duckdb_polars import DuckDBPolarsIOManager

from benchmarks.tpch.graph import Graph


def definitions(graph: Graph, out: Path) -> dg.Definitions:
    """Return an asset a table."""

    def raw(name: str, file: Path) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        def table() -> pl.DataFrame:
            return pl.read_parquet(file)

        return table

    def answer(name: str, text: str) -> dg.AssetsDefinition:
        rows = dg.AssetIn(dagster_type=pl.DataFrame)

        @dg.asset(name=name, ins=dict.fromkeys(graph.reads(name), rows))
        def table(**tables: pl.DataFrame) -> pl.DataFrame:
            return pl.SQLContext(tables).execute(text, eager=True)

        return table

    return dg.Definitions(
        [
            *(raw(*each) for each in graph.raw.items()),
            *(answer(*each) for each in graph.queries.items()),
        ],
        resources={
            "io_manager": DuckDBPolarsIOManager(database=str(out / "tpch.duckdb"))
        },
    )
