"""dagster-duckdb's resource: CREATE TABLE AS in one database file."""

from pathlib import Path

import dagster as dg
from dagster_duckdb import DuckDBResource

from benchmarks.tpch.graph import Graph


def definitions(graph: Graph, out: Path) -> dg.Definitions:
    """Return an asset a table."""

    def raw(name: str, file: Path) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        def table(duckdb: DuckDBResource) -> None:
            with duckdb.get_connection() as connection:
                connection.execute(
                    f"CREATE OR REPLACE TABLE {name} AS FROM read_parquet('{file}')"
                )

        return table

    def answer(name: str, text: str) -> dg.AssetsDefinition:
        @dg.asset(name=name, deps=graph.reads(name))
        def table(duckdb: DuckDBResource) -> None:
            with duckdb.get_connection() as connection:
                connection.execute(f"CREATE OR REPLACE TABLE {name} AS {text}")

        return table

    return dg.Definitions(
        [
            *(raw(*each) for each in graph.raw.items()),
            *(answer(*each) for each in graph.queries.items()),
        ],
        resources={"duckdb": DuckDBResource(database=str(out / "tpch.duckdb"))},
    )
