"""A run of Dagster whose process dies right after its table has the rows."""

import os
import signal
from typing import Any

import dagster as dg
import pyarrow as pa

import dagster_dfsession as dfs

RUN_ID = "0e5f3c66-0000-4000-8000-000000000001"
DAYS = dg.StaticPartitionsDefinition(["d1", "d2"])


class Dying(dfs.DataFusionDeltaIOManager):
    """Commits, and ends the process before it can say so."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        super().handle_output(context, obj)
        os.kill(os.getpid(), signal.SIGKILL)


def attempt(
    root: str, metadata: dict[str, Any], *, dies: bool
) -> dg.ExecuteInProcessResult:
    """Run the step, always as the same step of the same run."""

    @dg.asset(partitions_def=DAYS, metadata={"partition_expr": "day", **metadata})
    def daily(context: dg.AssetExecutionContext) -> pa.Table:
        return pa.table({"day": [context.partition_key] * 3, "n": [1, 2, 3]})

    session = dfs.DataFusionSessionResource(preset="dev")
    manager = Dying if dies else dfs.DataFusionDeltaIOManager
    definitions = dg.Definitions(
        assets=[daily],
        resources={
            "dfsession": session,
            "io_manager": manager(session=session, root_uri=root),
        },
    )
    return definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        run_id=RUN_ID, partition_key="d1"
    )


def die(root: str, metadata: dict[str, Any]) -> None:
    """Run the step, and die once it has committed."""
    attempt(root, metadata, dies=True)
