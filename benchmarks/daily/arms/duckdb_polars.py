"""dagster-duckdb-polars' IO manager."""

from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
from dagster_duckdb_polars import DuckDBPolarsIOManager

from benchmarks.daily.days import END, START, rows_of

DAILY = {
    "partitions_def": dg.DailyPartitionsDefinition(START, end_date=END),
    "backfill_policy": dg.BackfillPolicy.single_run(),
    "metadata": {"partition_expr": "day"},
}


def definitions(out: Path) -> dg.Definitions:
    """Return the two assets."""

    @dg.asset(**DAILY)
    def events(context: dg.AssetExecutionContext) -> pl.DataFrame:
        return pl.from_arrow(rows_of(context.partition_keys))

    @dg.asset(**DAILY)
    def totals(events: pl.DataFrame) -> pl.DataFrame:
        return events.group_by("day").agg(pl.col("value").sum().alias("total"))

    lake = DuckDBPolarsIOManager(database=str(out / "daily.duckdb"), schema="public")
    return dg.Definitions([events, totals], resources={"io_manager": lake})


def answers(out: Path, queries: list[str]) -> list[float]:
    """Return the first value of the answer to each query."""
    with duckdb.connect(out / "daily.duckdb", read_only=True) as connection:
        connection.execute("USE public")
        return [connection.execute(query).fetchone()[0] for query in queries]
