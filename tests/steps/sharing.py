"""Jobs whose steps sort more than their share of a memory pool."""

from pathlib import Path

import dagster as dg
from datafusion import DataFrame

from dagster_dfsession import DataFusionDeltaIOManager, DataFusionSessionResource

SORTED = """
SELECT CAST(max(n) AS bigint) AS n, min(x) AS first FROM (
    SELECT x, row_number() OVER (ORDER BY x) AS n
    FROM (SELECT md5(CAST(value AS varchar)) AS x FROM range({rows}))
)
"""
FORKED = {"forkserver": {"preload_modules": ["dagster_dfsession.steps.publish"]}}
EXECUTORS = {
    "spread": dg.multiprocess_executor.configured(
        {"start_method": FORKED, "max_concurrent": 4}
    ),
    "default": None,
    "odd": dg.multiprocess_executor.configured({"max_concurrent": 4}, name="odd"),
}


def sorting(name: str, pool: str | None, rows: int) -> dg.AssetsDefinition:
    """Return an asset that sorts texts, of some 48 bytes each."""

    @dg.asset(name=name, pool=pool)
    def sort(dfsession: DataFusionSessionResource) -> DataFrame:
        return dfsession.sql(SORTED.format(rows=rows))

    return sort


def job(  # noqa: PLR0917  # a reconstructable job is given them in order
    size: str, home: str, executor: str, in_pool: int, steps: int, rows: int
) -> dg.JobDefinition:
    """Return a job of assets that do not wait for each other.

    Args:
        size: Of the shared pool.
        home: The lake.
        executor: Whose steps share it.
        in_pool: How many of the assets are in the Dagster pool `heavy`.
        steps: How many assets.
        rows: That each of them sorts.
    """
    session = DataFusionSessionResource(
        preset="low_memory",
        profile={
            "execution": {"target_partitions": 1},
            "runtime": {"memory_pool": {"kind": "shared", "size": size}},
        },
    )
    manager = DataFusionDeltaIOManager(
        session=session, root_uri=str(Path(home) / "lake")
    )
    defs = dg.Definitions(
        assets=[
            sorting(f"sort_{n}", "heavy" if n < in_pool else None, rows)
            for n in range(steps)
        ],
        jobs=[dg.define_asset_job("sorts", "*", executor_def=EXECUTORS[executor])],
        resources={"dfsession": session, "io_manager": manager},
    )
    return defs.resolve_job_def("sorts")
