"""This project: the answers are SQL assets, the tables are the IO manager's."""

from pathlib import Path

import dagster as dg
from datafusion import DataFrame

from benchmarks.tpch.graph import Graph
from dagster_dfsession import (
    DataFusionDeltaIOManager,
    DataFusionSessionResource,
    sql_asset,
)


def definitions(graph: Graph, out: Path) -> dg.Definitions:
    """Return an asset a table."""
    session = DataFusionSessionResource(preset="default")
    lake = DataFusionDeltaIOManager(session=session, root_uri=str(out))

    def raw(name: str, file: Path) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        def table(dfsession: DataFusionSessionResource) -> DataFrame:
            return dfsession.session().ctx.read_parquet(file)

        return table

    return dg.Definitions(
        [
            *(raw(*each) for each in graph.raw.items()),
            *(sql_asset(name=name, sql=text) for name, text in graph.queries.items()),
        ],
        resources={"dfsession": session, "io_manager": lake},
    )
