"""Run one arm in this process: `python -m benchmarks.tpch.run ARM GRAPH OUT`.

The arm's environment need not have more than the arm imports. What is printed is one
line of JSON: what the run took, from the first asset's start to the last one's end.
"""

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

from benchmarks.tpch.graph import Graph, read_graph


def main() -> None:
    """Make all tables of the graph below a directory, and tell what it took."""
    arm, graph, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    module = importlib.import_module(f"benchmarks.tpch.arms.{arm}")
    work = prepared(module, read_graph(graph), out)
    wall, cpu = time.perf_counter(), cpu_s()
    assets_ms = work()
    told = {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": cpu_s() - cpu,
        "peak_bytes": peak_bytes(),
        "disk_bytes": sum(f.stat().st_size for f in out.rglob("*") if f.is_file()),
        "assets_ms": assets_ms,
    }
    print(json.dumps(told))


def prepared(
    module: ModuleType, graph: Graph, out: Path
) -> Callable[[], Mapping[str, float]]:
    """Import and define all that is needed; what is returned only runs.

    It returns the milliseconds of each asset; of a script, nothing.
    """
    if hasattr(module, "run"):
        return lambda: module.run(graph, out) or {}
    import dagster as dg  # noqa: PLC0415 - the script's arm does without

    job = module.definitions(graph, out).resolve_implicit_global_asset_job_def()
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    # On disk, as in a deployment; what is in memory alone is cheaper to tell.
    instance = dg.DagsterInstance.local_temp()

    def run() -> Mapping[str, float]:
        result = job.execute_in_process(instance=instance, run_config=quiet)
        return {
            str(event.step_key): event.step_success_data.duration_ms
            for event in result.all_events
            if event.is_step_success
        }

    return run


def cpu_s() -> float:
    """Return the seconds of processors that this process and its children had."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, who))


def peak_bytes() -> int:
    """Return the most memory that this process held at once, resident.

    `ru_maxrss` would begin with what the parent held when it made this process.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
