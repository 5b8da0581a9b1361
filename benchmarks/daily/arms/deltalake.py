"""dagster-deltalake, with Arrow tables, which deltalake's own engine is asked of."""

from pathlib import Path

import dagster as dg
import pyarrow as pa
from dagster_deltalake import DeltaLakePyarrowIOManager, LocalConfig
from deltalake import DeltaTable, QueryBuilder

from benchmarks.daily.days import END, START, rows_of

DAILY = {
    "partitions_def": dg.DailyPartitionsDefinition(START, end_date=END),
    "backfill_policy": dg.BackfillPolicy.single_run(),
    "metadata": {"partition_expr": "day"},
}


def definitions(out: Path) -> dg.Definitions:
    """Return the two assets."""

    @dg.asset(**DAILY)
    def events(context: dg.AssetExecutionContext) -> pa.Table:
        return rows_of(context.partition_keys)

    @dg.asset(**DAILY)
    def totals(events: pa.Table) -> pa.Table:
        found = events.group_by("day").aggregate([("value", "sum")])
        return found.rename_columns(["day", "total"])

    lake = DeltaLakePyarrowIOManager(root_uri=str(out), storage_options=LocalConfig())
    return dg.Definitions([events, totals], resources={"io_manager": lake})


def answers(out: Path, queries: list[str]) -> list[float]:
    """Return the first value of the answer to each query."""
    engine = QueryBuilder()
    for name in ("events", "totals"):
        engine.register(name, DeltaTable(out / "public" / name))
    found = (pa.table(engine.execute(query).read_all()) for query in queries)
    return [rows[0][0].as_py() for rows in found]
