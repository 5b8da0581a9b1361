"""dagster-polars, with Delta tables."""

from pathlib import Path

import dagster as dg
import polars as pl
from dagster_polars import PolarsDeltaIOManager

from benchmarks.daily.days import END, START, rows_of

DAILY = {
    "partitions_def": dg.DailyPartitionsDefinition(START, end_date=END),
    "backfill_policy": dg.BackfillPolicy.single_run(),
    "metadata": {"partition_by": "day"},
}


def definitions(out: Path) -> dg.Definitions:
    """Return the two assets."""

    @dg.asset(**DAILY)
    def events(context: dg.AssetExecutionContext) -> pl.DataFrame:
        return pl.from_arrow(rows_of(context.partition_keys))

    @dg.asset(**DAILY)
    def totals(events: pl.DataFrame) -> pl.DataFrame:
        return events.group_by("day").agg(pl.col("value").sum().alias("total"))

    lake = PolarsDeltaIOManager(base_dir=str(out))
    return dg.Definitions([events, totals], resources={"io_manager": lake})


def answers(out: Path, queries: list[str]) -> list[float]:
    """Return the first value of the answer to each query."""
    tables = {
        name: pl.scan_delta(str(out / f"{name}.delta")) for name in ("events", "totals")
    }
    ctx = pl.SQLContext(tables)
    return [ctx.execute(query).collect().item(0, 0) for query in queries]
