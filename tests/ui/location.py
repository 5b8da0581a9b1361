"""A code location with a secret, for the page to keep."""

import os

import dagster as dg
import pyarrow as pa

from dagster_dfsession import DataFusionDeltaIOManager, DataFusionSessionResource


@dg.asset
def numbers() -> pa.Table:
    """Numbers: one row each."""
    return pa.table({"n": [1, 2]})


session = DataFusionSessionResource(
    preset="dev", profile={"execution": {"batch_size": 4096}}
)
defs = dg.Definitions(
    assets=[numbers],
    resources={
        "dfsession": session,
        "io_manager": DataFusionDeltaIOManager(
            session=session,
            root_uri=os.environ.get("DFSESSION_LAKE_ROOT", "lake"),
            storage_options={"secret_key": dg.EnvVar("DFSESSION_UI_SECRET")},
        ),
    },
)
