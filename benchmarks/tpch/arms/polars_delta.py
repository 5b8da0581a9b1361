"""dagster-polars: one Delta table an asset.

Inputs are whole frames: of these versions, a lazy one reads through pyarrow, which does
not compare a text with a `string_view` (`ArrowNotImplementedError`).
"""

from pathlib import Path

import dagster as dg
import polars as pl
from dagster_polars import PolarsDeltaIOManager

from benchmarks.tpch.graph import Graph


def definitions(graph: Graph, out: Path) -> dg.Definitions:
    """Return an asset a table."""

    def raw(name: str, file: Path) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        def table() -> pl.LazyFrame:
            return pl.scan_parquet(file)

        return table

    def answer(name: str, text: str) -> dg.AssetsDefinition:
        rows = dg.AssetIn(dagster_type=pl.DataFrame)

        @dg.asset(name=name, ins=dict.fromkeys(graph.reads(name), rows))
        def table(**tables: pl.DataFrame) -> pl.LazyFrame:
            return pl.SQLContext(tables).execute(text)

        return table

    return dg.Definitions(
        [
            *(raw(*each) for each in graph.raw.items()),
            *(answer(*each) for each in graph.queries.items()),
        ],
        resources={"io_manager": PolarsDeltaIOManager(base_dir=str(out))},
    )
