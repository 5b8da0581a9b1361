"""A code location whose runs and steps are jobs of Ray.

Who runs it says in the environment where the lake is, and the files of the graph.
"""

import os

import dagster as dg

from tests.scale.location import executor, located

ROOT, HOME = "DFSESSION_SCALE_ROOT", "DFSESSION_SCALE_HOME"
RAY = {"ray": {"num_cpus": 1, "env_vars": [ROOT, HOME]}}


@dg.definitions
def defs() -> dg.Definitions:
    """Return the partitioned table, and a job of it."""
    everything = dg.define_asset_job(
        "everything", executor_def=executor("ray").configured(RAY)
    )
    return dg.Definitions.merge(
        located("daily", os.environ[ROOT], os.environ[HOME]),
        dg.Definitions(jobs=[everything]),
    )
