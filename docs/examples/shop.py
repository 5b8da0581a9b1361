"""SQL and Python mixed, with functions of one's own and with contracts.

Prices come in from Python, `sales` and `best_sellers` are queries, `shares` is composed
as a DataFrame, and `report` leaves for pandas. A contract says what every row of
`sales` must be: one that is not keeps all of them from being written, and what is
downstream stays as it was.

    dagster dev -d . -f shop.py

`DFSESSION_LAKE_ROOT` is the directory or address of the tables.
"""

import os

import dagster as dg
import pandas as pd
import pyarrow as pa
from datafusion import DataFrame, col
from datafusion import functions as f
from datafusion.expr import Window
from pydantic import Field

from dagster_dfsession import (
    DataFusionDeltaIOManager,
    DataFusionSessionResource,
    sql_asset,
)

LAKE_ROOT = os.environ.get("DFSESSION_LAKE_ROOT", "data/lake")
session = DataFusionSessionResource(preset="dev", udfs=["shop_udfs"])


class Till(dg.Config):
    """What was rung up, as `sku:kind:gross`."""

    receipts: list[str] = Field(
        default=["b1:book:10.70", "b1:book:10.70", "t1:toy:23.80"]
    )


@dg.asset
def receipts(config: Till) -> pa.Table:
    """Receipts: one row an item sold, `gross` in euro."""
    rows = [receipt.split(":") for receipt in config.receipts]
    return pa.table(
        {
            "item": pa.array(range(len(rows)), pa.int64()),
            "sku": [sku for sku, _, _ in rows],
            "kind": [kind for _, kind, _ in rows],
            "gross": [float(gross) for _, _, gross in rows],
        }
    )


sales = sql_asset(
    name="sales",
    sql="SELECT item, sku, kind, gross, net_price(gross, kind) AS net FROM receipts",
    session=session,  # its functions are part of the asset's code version
    description="Sales: one row an item, `net` in euro and without tax.",
    contract={
        "schema": {
            "item": "bigint",
            "sku": "string",
            "kind": "string",
            "gross": "double",
            "net": "double",
        },
        "not_null": ["item", "sku", "net"],
        "unique": ["item"],
        "checks": {"tax is not negative": "net <= gross"},
    },
)

best_sellers = sql_asset(
    name="best_sellers",
    sql="""
        SELECT sku, count(*) AS sold, sum(net) AS net
        FROM sales GROUP BY sku HAVING count(*) >= $least
    """,
    params={"least": 1},
    description="Goods by sales: one row each, `net` in euro.",
)


@dg.asset
def shares(best_sellers: DataFrame) -> DataFrame:
    """Shares of the takings: one row a good, `share` from 0 to 1."""
    whole = f.sum(col("net")).over(Window())
    return best_sellers.select(col("sku"), (col("net") / whole).alias("share"))


@dg.asset
def report(shares: pd.DataFrame) -> pd.DataFrame:
    """The shares for people: one row a good, `share` in per cent."""
    return shares.assign(share=(100 * shares["share"]).round(1)).sort_values("sku")


lake = DataFusionDeltaIOManager(session=session, root_uri=LAKE_ROOT)
defs = dg.Definitions(
    assets=[receipts, sales, best_sellers, shares, report],
    resources={"dfsession": session, "io_manager": lake},
)
