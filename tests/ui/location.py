"""A code location for the page: rows, a query over them, a session with a function."""

import os
from typing import Any

import dagster as dg
import pyarrow as pa
from datafusion import DataFrame

from dagster_dfsession import DataFusionDeltaIOManager, DataFusionSessionResource

ROWS: dict[str, list[Any]] = {
    "carrier": ["AA", "UA", "AA"],
    "delay": [1.0, 20.0, 5.0],
}


@dg.asset(kinds={"arrow", "deltalake"})
def flights() -> pa.Table:
    """Three flights: one row a flight, `delay` in minutes."""
    return pa.table(ROWS)


@dg.asset(kinds={"datafusion", "deltalake"}, deps=[flights])
def carrier_delay(dfsession: DataFusionSessionResource) -> DataFrame:
    """Mean delay of a carrier: one row a carrier, `delay` in minutes."""
    return dfsession.sql(
        "SELECT carrier, avg(delay) AS delay FROM flights GROUP BY carrier"
    )


session = DataFusionSessionResource(
    preset="dev", profile={"execution": {"batch_size": 4096}}
)
defs = dg.Definitions(
    assets=[flights, carrier_delay],
    resources={
        "dfsession": session,
        "io_manager": DataFusionDeltaIOManager(
            session=session,
            root_uri=os.environ.get("DFSESSION_LAKE_ROOT", "lake"),
            storage_options={"secret_key": dg.EnvVar("DFSESSION_UI_SECRET")},
        ),
    },
)
