"""Jobs that several processes or machines share: nothing in them knows of that.

A worker builds a job anew from its name and arguments alone; the lake is opened by the
environment that the worker has.
"""

import functools
import importlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.tpch.graph import read_graph
from dagster_dfsession import (
    DataFusionDeltaIOManager,
    DataFusionSessionResource,
    sql_asset,
)

DAYS = dg.StaticPartitionsDefinition([f"d{number}" for number in range(4)])
BATCHES = 4
MONTHS = {
    "dagster/asset_partition_range_start": "2013-01-01",
    "dagster/asset_partition_range_end": "2013-12-01",
}
"""Tags of a run of the demo: all of its partitions."""
LONGEST_S = 60
SCHEMA = pa.table({"day": [""], "n": [0]}).schema
# A fork server would have the environment of the test that began it.
SPAWNED: dict[str, dict[str, str]] = {"spawn": {}}
EXECUTORS = {
    "in_process": dg.in_process_executor,
    "multi": dg.multiprocess_executor.configured({"start_method": SPAWNED}),
}


def executor(name: str) -> dg.ExecutorDefinition:
    """Return an executor: one of `EXECUTORS`, or that of a package of Dagster's.

    Such a package takes seconds to import, in every process of a step.
    """
    if name in EXECUTORS:
        return EXECUTORS[name]
    found: dg.ExecutorDefinition = getattr(
        importlib.import_module(f"dagster_{name}"), f"{name}_executor"
    )
    return found


def raw_table(name: str, file: Path) -> dg.AssetsDefinition:
    """Return the asset of a table of TPC-H."""

    @dg.asset(name=name)
    def raw() -> pa.Table:
        return pq.read_table(file)

    return raw


def tpch(home: Path) -> list[dg.AssetsDefinition]:
    """Return the queries of TPC-H that `write_graph` has left, and what they read."""
    graph = read_graph(home / "tpch")
    read = {table for query in graph.queries for table in graph.reads(query)}
    return [
        *(raw_table(name, graph.raw[name]) for name in sorted(read)),
        *(sql_asset(name=name, sql=text) for name, text in graph.queries.items()),
    ]


def daily(home: Path) -> list[dg.AssetsDefinition]:
    """Return one table whose partitions are runs; a step can be held half-way."""

    def batches(day: str) -> Iterator[pa.RecordBatch]:
        for number in range(BATCHES):
            if number == BATCHES // 2:
                hold(home, "half-way")
            yield pa.RecordBatch.from_pylist([{"day": day, "n": number}], SCHEMA)

    @dg.asset(
        partitions_def=DAYS,
        metadata={"partition_expr": "day"},
        retry_policy=dg.RetryPolicy(max_retries=1),
    )
    def measured(context: dg.AssetExecutionContext) -> pa.RecordBatchReader:
        """Measurements: `BATCHES` rows a day."""
        return pa.RecordBatchReader.from_batches(SCHEMA, batches(context.partition_key))

    return [measured]


class Holding(DataFusionDeltaIOManager):
    """The IO manager; a step can be held when its rows are committed."""

    home: str

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        super().handle_output(context, obj)
        hold(Path(self.home), "committed")


def hold(home: Path, place: str) -> None:
    """Wait to be killed, if somebody asks for that and no other step does already.

    Who asks makes a file `hold_<place>`. The first step that comes there takes it away,
    and leaves its process id in `held`.
    """
    try:
        (home / f"hold_{place}").unlink()
    except FileNotFoundError:
        return
    (home / "held.part").write_text(str(os.getpid()))
    (home / "held.part").rename(home / "held")
    time.sleep(LONGEST_S)
    raise TimeoutError("nobody has killed this process")


GRAPHS = {"tpch": tpch, "daily": daily}


def located(graph: str, root: str, home: str) -> dg.Definitions:
    """Return a code location.

    Args:
        graph: One of `GRAPHS`, or `demo`: the demo's code location as it is.
        root: The lake.
        home: Where files of the graph are.
    """
    if graph == "demo":
        demo: dg.Definitions = importlib.import_module("definitions").defs()
        return demo
    session = DataFusionSessionResource(preset="dev")
    lake = Holding(session=session, root_uri=root, home=home)
    return dg.Definitions(
        assets=GRAPHS[graph](Path(home)),
        resources={"dfsession": session, "io_manager": lake},
    )


@functools.cache
def job(
    graph: str, executor_name: str, root: str, home: str, name: str
) -> dg.JobDefinition:
    """Return a job, as each worker builds it.

    Args:
        graph: See `located`, as are `root` and `home`.
        executor_name: Who runs the steps.
        root: The lake.
        home: Where files of the graph are.
        name: Of the job.
    """
    everything = dg.define_asset_job(name, executor_def=executor(executor_name))
    definitions = dg.Definitions.merge(
        located(graph, root, home), dg.Definitions(jobs=[everything])
    )
    return definitions.resolve_job_def(name)
