"""A code location whose runs are watched from outside: they end in every way."""

import os
import sys
import time
from pathlib import Path

import dagster as dg
import pyarrow as pa
from datafusion import DataFrame
from deltalake import write_deltalake

from dagster_dfsession import DataFusionDeltaIOManager, DataFusionSessionResource
from dagster_dfsession.pool.cache import PROCESS_SESSIONS

HOME = Path(os.environ.get("RUNS_HOME", "."))
# Steps are forked from a process that has imported Dagster and the engine.
FORKED = {"forkserver": {"preload_modules": ["dagster_dfsession.steps.publish"]}}
EXECUTORS = {
    "in_process": dg.in_process_executor,
    "multi": dg.multiprocess_executor.configured({"start_method": FORKED}),
}
LONGEST_S = 60


@dg.asset
def numbers() -> pa.Table:
    """Ten numbers: one row a number."""
    return pa.table({"n": list(range(10))})


@dg.asset(deps=[numbers])
def doubled(dfsession: DataFusionSessionResource) -> DataFrame:
    """Numbers through a user function."""
    return dfsession.sql("SELECT n, twice(n) AS two FROM numbers")


@dg.asset(deps=[numbers])
def total(dfsession: DataFusionSessionResource) -> DataFrame:
    """Their sum, without the function."""
    return dfsession.sql("SELECT sum(n) AS n FROM numbers")


@dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
def retried(
    context: dg.AssetExecutionContext, dfsession: DataFusionSessionResource
) -> DataFrame:
    """Fails half-way through registration, once."""
    dfsession.register("first", pa.table({"n": [1]}))
    if context.retry_number == 0:
        raise RuntimeError("half-way through registration")
    dfsession.register("second", pa.table({"n": [2]}))
    return dfsession.sql("SELECT * FROM first UNION ALL SELECT * FROM second")


def meeting(own: str, other: str, number: int) -> dg.AssetsDefinition:
    """Return an asset that registers a name while its sibling holds the same one."""

    @dg.asset(name=own)
    def sibling(dfsession: DataFusionSessionResource) -> DataFrame:
        dfsession.register("shared", pa.table({"n": [number] * 10}))
        (HOME / own).touch()
        deadline = time.monotonic() + LONGEST_S
        while not (HOME / other).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        return dfsession.sql("SELECT sum(n) AS n FROM shared")

    return sibling


@dg.asset
def failing(dfsession: DataFusionSessionResource) -> DataFrame:
    """Fails with a name registered."""
    dfsession.register("held", pa.table({"n": [1]}))
    raise RuntimeError("on purpose")


@dg.asset
def endless(dfsession: DataFusionSessionResource) -> DataFrame:
    """Holds a name until somebody ends the run."""
    dfsession.register("held", pa.table({"n": [1]}))
    (HOME / "endless").touch()
    time.sleep(LONGEST_S)
    return dfsession.sql("SELECT * FROM held")


BOTH = "SELECT (SELECT count(*) FROM outside) AS outside, count(*) AS n FROM numbers"


@dg.asset(deps=[numbers, "outside"])
def early(dfsession: DataFusionSessionResource) -> DataFrame:
    """Rows of a table from outside, and of one that the run has written."""
    return dfsession.sql(BOTH)


@dg.asset(deps=[early])
def intruder() -> None:
    """What another program does to both tables meanwhile."""
    for name, column in (("outside", "x"), ("numbers", "n")):
        write_deltalake(HOME / "lake" / name, pa.table({column: [100]}), mode="append")


@dg.asset(deps=[intruder, numbers, "outside"])
def late(dfsession: DataFusionSessionResource) -> DataFrame:
    """The same two counts."""
    return dfsession.sql(BOTH)


JOBS = {
    "graph": [numbers, doubled, total],
    "retry": [retried],
    "siblings": [meeting("left", "right", 1), meeting("right", "left", 2)],
    "pins": [numbers, early, intruder, late],
    "failure": [failing],
    "endless": [endless],
}
session = DataFusionSessionResource(
    preset="dev",
    profile={
        "runtime": {"spill": {"kind": "disk", "directory": str(HOME / "spill")}},
        "execution": {"batch_size": int(os.environ.get("RUNS_BATCH_SIZE", "8192"))},
    },
    udfs=["runs_udfs"],
)
defs = dg.Definitions(
    assets=[asset for assets in JOBS.values() for asset in assets],
    jobs=[dg.define_asset_job(name, assets) for name, assets in JOBS.items()],
    executor=EXECUTORS[os.environ.get("RUNS_EXECUTOR", "in_process")],
    resources={
        "dfsession": session,
        "io_manager": DataFusionDeltaIOManager(
            session=session, root_uri=str(HOME / "lake")
        ),
    },
)


def job(name: str) -> dg.JobDefinition:
    """Return a job, for the executor's processes."""
    return defs.resolve_job_def(name)


def main() -> None:
    """Run a job in the instance of DAGSTER_HOME; print what is held when it is over."""
    reconstructable = dg.build_reconstructable_job(
        "tests.runs.location", "job", (sys.argv[1],)
    )
    try:
        result = dg.execute_job(reconstructable, dg.DagsterInstance.get())
        sys.stdout.write(f"RUN {result.run_id} {result.success}\n")
    finally:
        sys.stdout.write(f"HELD {len(PROCESS_SESSIONS.cache.holders())}\n")


if __name__ == "__main__":
    main()
