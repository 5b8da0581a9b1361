"""The script's two halves as bare Dagster assets: what Dagster itself takes."""

from pathlib import Path

import dagster as dg
from datafusion import SessionContext

from benchmarks.tpch.arms.script import write
from benchmarks.tpch.graph import Graph


def definitions(graph: Graph, out: Path) -> dg.Definitions:
    """Return an asset a table; they share one session."""
    ctx = SessionContext()

    def raw(name: str, file: Path) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        def table() -> None:
            write(ctx.read_parquet(file), out / name)
            ctx.register_parquet(name, out / name)

        return table

    def answer(name: str, text: str) -> dg.AssetsDefinition:
        @dg.asset(name=name, deps=graph.reads(name))
        def table() -> None:
            write(ctx.sql(text), out / name)

        return table

    return dg.Definitions(
        [
            *(raw(*each) for each in graph.raw.items()),
            *(answer(*each) for each in graph.queries.items()),
        ]
    )
