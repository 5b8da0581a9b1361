"""This project."""

from pathlib import Path

import dagster as dg
import pyarrow as pa
from datafusion import DataFrame

from benchmarks.daily.days import END, START, rows_of
from dagster_dfsession import (
    DataFusionDeltaIOManager,
    DataFusionSessionResource,
    LakeSession,
)

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
    def totals(dfsession: DataFusionSessionResource, events: DataFrame) -> DataFrame:
        return dfsession.sql("SELECT day, sum(value) AS total FROM events GROUP BY day")

    session = DataFusionSessionResource(preset="default")
    lake = DataFusionDeltaIOManager(session=session, root_uri=str(out))
    return dg.Definitions(
        [events, totals], resources={"dfsession": session, "io_manager": lake}
    )


def answers(out: Path, queries: list[str]) -> list[float]:
    """Return the first value of the answer to each query."""
    with LakeSession("default", root_uri=str(out)) as lake:
        return [lake.sql(query).to_table()[0][0].as_py() for query in queries]
