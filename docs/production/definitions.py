"""A code location in production: on one machine or in Kubernetes, with tables on S3.

The environment says where: `DFSESSION_LAKE_ROOT` is the address of the tables, the
`AWS_*` variables open it. `DFSESSION_MEMORY_POOL` is the memory pool of a session, in
bytes (`4G`) or as a share of the pod (`75%`, the default).
"""

import os

import dagster as dg
import pyarrow as pa
from dagster_k8s import k8s_job_executor

from dagster_dfsession import (
    DataFusionDeltaIOManager,
    DataFusionSessionResource,
    MaintenancePolicy,
    build_janitor_sensor,
    build_maintenance_asset,
    sql_asset,
)

POOL = "datafusion"
RETRIES = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL)
MEMORY = {"memory": "8Gi"}
POD = {
    "step_k8s_config": {
        "container_config": {
            # Both alike: a pod with less asked for than it uses is evicted first.
            "resources": {"requests": {"cpu": "2", **MEMORY}, "limits": MEMORY},
            "env": [{"name": "TMPDIR", "value": "/spill"}],
            "volume_mounts": [{"name": "spill", "mount_path": "/spill"}],
        },
        "pod_spec_config": {
            "volumes": [{"name": "spill", "empty_dir": {"size_limit": "50Gi"}}]
        },
    }
}


@dg.asset(pool=POOL, retry_policy=RETRIES)
def orders() -> pa.Table:
    """Orders: one row each, `price` in euro."""
    return pa.table({"customer": ["ann", "bob", "ann"], "price": [3.0, 5.0, 4.0]})


spending = sql_asset(
    name="spending",
    sql="SELECT customer, sum(price) AS total FROM orders GROUP BY customer",
    pool=POOL,
    retry_policy=RETRIES,
)

upkeep = build_maintenance_asset(
    "upkeep",
    ["orders", "spending"],
    MaintenancePolicy(replayable="keep"),
    pool=POOL,
    automation_condition=dg.AutomationCondition.on_cron("0 3 * * 0"),
)


def executor() -> dg.ExecutorDefinition:
    """A pod for each step in Kubernetes, elsewhere a process for each."""
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return k8s_job_executor.configured(POD)
    return dg.multiprocess_executor


@dg.definitions
def defs() -> dg.Definitions:
    """Return the assets, and the session and the lake that they share."""
    size = os.environ.get("DFSESSION_MEMORY_POOL", "75%")
    session = DataFusionSessionResource(
        preset="prod",
        profile={"runtime": {"memory_pool": {"kind": "fair", "size": size}}},
    )
    lake = DataFusionDeltaIOManager(
        session=session, root_uri=os.environ["DFSESSION_LAKE_ROOT"]
    )
    return dg.Definitions(
        assets=[orders, spending, upkeep],
        sensors=[build_janitor_sensor(orphans_of=["orders", "spending"])],
        resources={"dfsession": session, "io_manager": lake},
        executor=executor(),
    )
