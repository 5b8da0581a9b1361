"""Run queries at once: `python -m benchmarks.memory.four LAKE SIZE QUERY...`.

They are steps of one Dagster run, in processes of their own, and share a memory pool.
What is printed last is one line of JSON.
"""

import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import dagster as dg
import psutil

from benchmarks.memory.source import texts
from dagster_dfsession import DataFusionSessionResource

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
LIMIT = "datafusion.runtime.memory_limit"
EVERY_S = 0.1


def step(name: str) -> dg.AssetsDefinition:
    """Return an asset that runs a query and keeps none of its rows."""

    @dg.asset(name=name)
    def heavy(dfsession: DataFusionSessionResource) -> dg.MaterializeResult[None]:
        with dfsession.stream(texts()[name]) as result:
            for _ in result:
                pass
            spilled = result.metrics.spilled_bytes
        limit = dfsession.snapshot().settings[LIMIT]
        return dg.MaterializeResult(
            metadata={"limit": limit, "spilled_mib": spilled >> 20, "rows": result.rows}
        )

    return heavy


def job(lake: str, size: str, *names: str) -> dg.JobDefinition:
    """Return the job, for the executor's processes."""
    session = DataFusionSessionResource(
        preset="low_memory",
        profile={"runtime": {"memory_pool": {"kind": "shared", "size": size}}},
        root_uri=lake,
    )
    executor = dg.multiprocess_executor.configured({"max_concurrent": len(names)})
    defs = dg.Definitions(
        assets=[step(name) for name in names],
        jobs=[dg.define_asset_job("heavy", "*", executor_def=executor)],
        resources={"dfsession": session},
    )
    return defs.resolve_job_def("heavy")


def resident(root: psutil.Process) -> int:
    """Return the bytes that a process and those below it hold and share with nobody."""
    held = 0
    for each in [root, *root.children(recursive=True)]:
        try:
            held += each.memory_full_info().uss
        except psutil.Error:
            continue  # it has ended meanwhile
    return held


class Peak(threading.Thread):
    """Looks at this process and those below it, until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self.over = threading.Event()

    def run(self) -> None:
        """Look."""
        while not self.over.wait(EVERY_S):
            self.bytes = max(self.bytes, resident(psutil.Process()))


def told(lake: str, size: str, names: list[str]) -> dict[str, Any]:
    """Run the job and tell what its steps took."""
    arguments: tuple[Any, ...] = (lake, size, *names)
    heavy = dg.build_reconstructable_job("benchmarks.memory.four", "job", arguments)
    peak, started = Peak(), time.perf_counter()
    peak.start()
    with (
        tempfile.TemporaryDirectory() as home,
        dg.DagsterInstance.local_temp(home) as instance,
        dg.execute_job(
            heavy, instance, run_config=QUIET, raise_on_error=False
        ) as result,
    ):
        seconds = time.perf_counter() - started
        logged = instance.all_logs(result.run_id)
    peak.over.set()
    events = [each.dagster_event for each in logged if each.dagster_event]
    made = [
        event.step_materialization_data.materialization
        for event in events
        if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION
    ]
    return {
        "budget": size,
        "seconds": seconds,
        "peak_mib": peak.bytes >> 20,
        "failed": sum(event.is_step_failure for event in events),
        "steps": {
            each.asset_key.to_user_string(): {
                name: each.metadata[name].value
                for name in ("limit", "spilled_mib", "rows")
            }
            for each in made
        },
    }


if __name__ == "__main__":
    lake, size, *asked = sys.argv[1:]
    print(json.dumps(told(str(Path(lake).resolve()), size, asked)))
