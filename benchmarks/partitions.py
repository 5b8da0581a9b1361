"""What one table costs as its partitions grow in number.

    python -m benchmarks.partitions --days 100 1000

A day is a partition, its files a folder. Each size is a process of its own, with the
events of Dagster in memory; what counts is CPU time of a step, from its start to its
success, without what Dagster does before and after.

* `all`: a single run writes all partitions.
* `one again`: a run writes one of them anew.
* `reads one`, `reads 30`: an asset downstream has these partitions, and reads them.
* `reads all`: an asset without partitions reads the whole table.
"""

import argparse
import datetime as dt
import json
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
from deltalake import write_deltalake

from benchmarks.harness import alone, keep
from dagster_dfsession import (
    DataFusionDeltaIOManager,
    DataFusionSessionResource,
    sql_asset,
)

FIRST = dt.date(1990, 1, 1)
ROWS = 10
"""Of a day."""
RANGE = "dagster/asset_partition_range"
KIB = 1024


def day(at: int) -> str:
    """Return a partition key."""
    return (FIRST + dt.timedelta(days=at)).isoformat()


def span(first: int, last: int) -> dict[str, str]:
    """Return the tags of a run of all partitions from one to another."""
    return {f"{RANGE}_start": day(first), f"{RANGE}_end": day(last)}


def definitions(days: int, lake: Path, timing: dg.LoggerDefinition) -> dg.Definitions:
    """Return a table with partitions, and two that are made of it."""
    partitions = dg.DailyPartitionsDefinition(day(0), end_date=day(days))
    divided: Mapping[str, Any] = {
        "partitions_def": partitions,
        "backfill_policy": dg.BackfillPolicy.single_run(),
        "metadata": {"partition_expr": "day", "partition_by": ["day"]},
    }
    where = "WHERE day >= $partition_start AND day < $partition_end"
    session = DataFusionSessionResource(preset="dev")
    return dg.Definitions(
        assets=[
            sql_asset(
                name="events",
                sql=f"SELECT day, id, amount FROM raw.events {where}",  # noqa: S608  # a constant
                **divided,
            ),
            sql_asset(
                name="totals",
                sql="SELECT day, sum(amount) AS amount FROM events "  # noqa: S608  # a constant
                f"{where} GROUP BY day",
                **divided,
            ),
            sql_asset(name="total", sql="SELECT sum(amount) AS amount FROM events"),
        ],
        loggers={"timing": timing},
        resources={
            "dfsession": session,
            "io_manager": DataFusionDeltaIOManager(session=session, root_uri=str(lake)),
        },
    )


class StepTime(logging.Handler):
    """Notes the CPU time between the start of a step and its success."""

    def __init__(self) -> None:
        super().__init__()
        self.started = self.ms = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Note it, if the record is of the start or the end of a step."""
        event = getattr(record, "dagster_meta", {}).get("dagster_event")
        kind = None if event is None else event.event_type_value
        if kind == "STEP_START":
            self.started = time.process_time()
        elif kind == "STEP_SUCCESS":
            self.ms = (time.process_time() - self.started) * 1000


def measured(days: int, root: Path) -> dict[str, dict[str, float]]:
    """Run the assets over so many days; return what each step took and told."""
    clock = StepTime()

    @dg.logger
    def timing(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.getLogger("partitions")
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(clock)
        return logger

    keys = [day(at) for at in range(days) for _ in range(ROWS)]
    rows = {"day": keys, "id": range(len(keys)), "amount": [1.5] * len(keys)}
    table = pa.table(rows).set_column(0, "day", pa.array(keys).cast(pa.date32()))
    write_deltalake(root / "raw" / "events", table)
    job = definitions(days, root, timing).resolve_implicit_global_asset_job_def()
    last = days - 1

    def told(asset: str, **run: Any) -> dict[str, float]:
        done = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(asset)],
            run_config={"loggers": {"timing": {}}},
            **run,
        )
        sizes = [
            len(dg.serialize_value(event))
            for event in done.all_events
            if event.event_type_value == "ASSET_MATERIALIZATION"
        ]
        return {
            "cpu_ms": round(clock.ms),
            "events": len(sizes),
            "largest_kib": round(max(sizes) / KIB, 1),
            "all_mib": round(sum(sizes) / KIB**2, 2),
        }

    with dg.DagsterInstance.ephemeral() as instance:
        return {
            "warm": told("events", partition_key=day(0)),
            "all": told("events", tags=span(0, last)),
            "one again": told("events", partition_key=day(last)),
            "reads one": told("totals", partition_key=day(last)),
            "reads 30": told("totals", tags=span(last - 30, last - 1)),
            "reads all": told("total"),
        }


def main() -> None:
    """Measure each size in a process of its own, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, nargs="+", default=[100, 1000])
    found = {}
    for days in parser.parse_args().days:
        root = Path(tempfile.mkdtemp(prefix="dfsession_partitions_"))
        try:
            found[f"{days}"] = alone("benchmarks.partitions", days, root)
        finally:
            shutil.rmtree(root)
        for name, each in found[f"{days}"].items():
            print(f"{days:6} {name:10} {each}")
    keep("partitions", {"days": found})


if __name__ == "__main__":
    if sys.argv[1:2] and not sys.argv[1].startswith("-"):
        print(json.dumps(measured(int(sys.argv[1]), Path(sys.argv[2]))))
    else:
        main()
