"""A code location of which each job runs a part; the environment says where its lake is."""

import os

import dagster as dg
import pyarrow as pa
from datafusion import DataFrame

from dagster_dfsession import DataFusionDeltaIOManager, DataFusionSessionResource


@dg.asset(key_prefix="raw")
def flights() -> pa.Table:
    return pa.table({"x": [1]})


@dg.asset
def unrelated() -> pa.Table:
    return pa.table({"x": [1]})


@dg.asset
def wrong(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql("SELECT * FROM raw.flight")


@dg.asset
def right(dfsession: DataFusionSessionResource) -> DataFrame:
    dfsession.register("part", pa.table({"x": [1]}))
    return dfsession.sql("SELECT x FROM part")


session = DataFusionSessionResource(preset="dev")
manager = DataFusionDeltaIOManager(
    session=session, root_uri=os.environ.get("DFSESSION_TEST_LAKE", "nowhere")
)
defs = dg.Definitions(
    assets=[flights, unrelated, wrong, right],
    jobs=[dg.define_asset_job(name, [name]) for name in ("wrong", "right")],
    resources={"dfsession": session, "io_manager": manager},
)
