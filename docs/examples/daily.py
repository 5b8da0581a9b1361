"""An incremental daily pipeline whose data is sometimes late.

Each day a file arrives. Most of its orders are of that day, some are older. `landed` is
what arrived, a partition for each day of arrival: a file that is sent again replaces
its day. `daily_totals` is by the day of the order. It is given what changed in `landed`
since its last commit, finds the days that this touches, and adds up those days alone.

    dagster dev -f daily.py

`DFSESSION_INBOX` is the directory of the files, `2026-01-01.csv` and so on, and
`DFSESSION_LAKE_ROOT` that of the tables.
"""

import os
from pathlib import Path

import dagster as dg
from datafusion import DataFrame

from dagster_dfsession import (
    Changes,
    DataFusionDeltaIOManager,
    DataFusionSessionResource,
    sql_asset,
)

INBOX = Path(os.environ.get("DFSESSION_INBOX", "data/inbox"))
LAKE_ROOT = os.environ.get("DFSESSION_LAKE_ROOT", "data/lake")


@dg.asset(
    partitions_def=dg.DailyPartitionsDefinition("2026-01-01"),
    metadata={
        "partition_expr": "landed_on",
        "table_properties": {"delta.enableChangeDataFeed": "true"},
        "contract": {
            "not_null": ["order_id", "day"],
            "unique": ["order_id"],
            "checks": {"no order of tomorrow": "day <= landed_on"},
        },
    },
    automation_condition=dg.AutomationCondition.on_cron("0 6 * * *"),
)
def landed(
    context: dg.AssetExecutionContext, dfsession: DataFusionSessionResource
) -> DataFrame:
    """Orders as they arrived: one row each, `amount` in euro."""
    file = INBOX / f"{context.partition_key}.csv"
    arrived = dfsession.session().ctx.read_csv(file)
    return dfsession.sql(
        """
        SELECT order_id, day, CAST(amount AS DOUBLE) AS amount,
               CAST($landed_on AS DATE) AS landed_on
        FROM arrived
        """,
        arrived=arrived,
        params={"landed_on": context.partition_key},
    )


@dg.asset(
    ins={"news": dg.AssetIn("landed")},
    metadata={"merge": {"on": "day"}},
    automation_condition=dg.AutomationCondition.eager(),
)
def daily_totals(dfsession: DataFusionSessionResource, news: Changes) -> DataFrame:
    """Takings: one row a day of orders, `amount` in euro."""
    return dfsession.sql(
        """
        SELECT day, count(order_id) AS orders, coalesce(sum(amount), 0) AS amount
        FROM touched LEFT JOIN whole USING (day)
        GROUP BY day
        """,
        touched=news.frame.select("day").distinct(),
        # `landed` itself means the changes here.
        whole=dfsession.table("landed", version=news.until),
    )


lateness = sql_asset(
    name="lateness",
    sql="""
        SELECT landed_on - day AS days_late, count(*) AS orders
        FROM landed GROUP BY 1
    """,
    description="How late orders are: one row a number of days.",
    automation_condition=dg.AutomationCondition.eager(),
)

session = DataFusionSessionResource(preset="dev")
lake = DataFusionDeltaIOManager(session=session, root_uri=LAKE_ROOT)
defs = dg.Definitions(
    assets=[landed, daily_totals, lateness],
    resources={"dfsession": session, "io_manager": lake},
)
