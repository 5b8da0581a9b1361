"""Bare assets that return their rows, and the script's `write` as an IO manager."""

from pathlib import Path

import dagster as dg
from datafusion import DataFrame, SessionContext

from benchmarks.tpch.arms.script import write
from benchmarks.tpch.graph import Graph


def definitions(graph: Graph, out: Path) -> dg.Definitions:
    """Return an asset a table; they share one session."""
    ctx = SessionContext()

    class Tables(dg.ConfigurableIOManager):
        """A Delta table an asset, known to the session once it is written."""

        def handle_output(self, context: dg.OutputContext, obj: DataFrame) -> None:
            name = context.asset_key.path[-1]
            write(obj, out / name)
            if name in graph.raw:
                ctx.register_parquet(name, out / name)

        def load_input(self, context: dg.InputContext) -> None:
            raise NotImplementedError

    def raw(name: str, file: Path) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        def table() -> DataFrame:
            return ctx.read_parquet(file)

        return table

    def answer(name: str, text: str) -> dg.AssetsDefinition:
        @dg.asset(name=name, deps=graph.reads(name))
        def table() -> DataFrame:
            return ctx.sql(text)

        return table

    return dg.Definitions(
        [
            *(raw(*each) for each in graph.raw.items()),
            *(answer(*each) for each in graph.queries.items()),
        ],
        resources={"io_manager": Tables()},
    )
