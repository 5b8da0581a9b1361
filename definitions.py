"""The demo code location: a year of real flights as a lake, and what is made of it.

`DFSESSION_PRESET` names the profile to start from, `DFSESSION_LAKE_ROOT` the directory
or address of the tables; both may be left out. Run as a script, it materializes every
asset.
"""

import os
import sys
from pathlib import Path

import dagster as dg

from dagster_dfsession import (
    DataFusionDeltaIOManager,
    DataFusionSessionResource,
    DfSessionError,
)
from demo.assets import ASSETS, MONTHS
from demo.report import materialize_all

HERE = Path(__file__).resolve().parent
LAKE_ROOT = os.environ.get("DFSESSION_LAKE_ROOT") or str(HERE / "data" / "lake")
PRESET = os.environ.get("DFSESSION_PRESET") or "default"


@dg.definitions
def defs() -> dg.Definitions:
    """Return the assets, and the session and the lake that they share."""
    session = DataFusionSessionResource(preset=PRESET, udfs=["demo.udfs"])
    lake = DataFusionDeltaIOManager(session=session, root_uri=LAKE_ROOT)
    return dg.Definitions(
        assets=[stored(asset) for asset in ASSETS],
        resources={"dfsession": session, "io_manager": lake},
    )
