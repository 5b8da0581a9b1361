"""What an asset costs from the first to the thousandth of one run, and what is held.

    python -m benchmarks.runs --assets 1000

Both arms write as many small Delta tables in one process, each made of another one, and
keep their events in memory. CPU time and resident memory are read as each step ends; a
window is a tenth of the run.

* `bare`: functions under `@dagster.asset`: a SessionContext, `write_deltalake`.
* `files`: a folder of SQL files, with this package's session and IO manager.
"""

import argparse
import itertools
import json
import logging
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import pyarrow as pa
from datafusion import SessionContext
from deltalake import DeltaTable, write_deltalake

from benchmarks.graphs import chained, write_files
from benchmarks.harness import alone, keep
from dagster_dfsession import (
    DataFusionDeltaIOManager,
    DataFusionSessionResource,
    load_sql_assets,
)

WINDOWS = 10
_PAGE = 4096 / 2**20


class Tick(NamedTuple):
    """What the process had taken when a step ended: CPU in ms, memory in MiB."""

    cpu_ms: float
    memory: float
    handles: int


class Ticks(logging.Handler):
    """Notes what the process has taken whenever a step ends."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[Tick] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note it, if the record is of the end of a step."""
        event = getattr(record, "dagster_meta", {}).get("dagster_event")
        if event is not None and event.event_type_value == "STEP_SUCCESS":
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            handles = sum(1 for _ in Path("/proc/self/fd").iterdir())
            cpu = time.process_time() * 1000
            self.noted.append(Tick(cpu, pages * _PAGE, handles))


def bare(root: Path, count: int) -> list[dg.AssetsDefinition]:
    """Return the assets without this package."""

    def asset(
        at: int, key: tuple[str, str], reads: tuple[str, str]
    ) -> dg.AssetsDefinition:
        @dg.asset(name=key[1], key_prefix=key[0], deps=[dg.AssetKey(reads)])
        def made() -> None:
            ctx = SessionContext()
            ctx.register_table("t", DeltaTable(root.joinpath(*reads)))
            frame = ctx.sql(
                "SELECT user_id, sum(amount) AS amount FROM t "  # noqa: S608  # a number
                f"WHERE amount > {at} GROUP BY user_id"
            )
            batches = (each.to_pyarrow() for each in frame.execute_stream())
            rows = pa.RecordBatchReader.from_batches(frame.schema(), batches)
            write_deltalake(root.joinpath(*key), rows, mode="overwrite")

        return made

    return [asset(*each) for each in chained(count)]


def run(arm: str, root: Path, count: int) -> list[Tick]:
    """Run all assets in this process; return what it had taken after each."""
    ticks = Ticks()

    @dg.logger
    def ticking(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.getLogger("ticks")
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(ticks)
        return logger

    lake = root / arm
    events = pa.table(
        {"user_id": [at % 10 for at in range(100)], "amount": [1.5] * 50 + [999.5] * 50}
    )
    write_deltalake(lake / "raw" / "events", events)
    session = DataFusionSessionResource(preset="dev")
    manager = DataFusionDeltaIOManager(session=session, root_uri=str(lake))
    assets: list[Any] = (
        bare(lake, count)
        if arm == "bare"
        else load_sql_assets(root / "sql", external=["raw/events"], session=session)
    )
    definitions = dg.Definitions(
        assets=assets,
        resources={"dfsession": session, "io_manager": manager},
        loggers={"ticks": ticking},
    )
    with dg.DagsterInstance.ephemeral() as instance:
        definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, run_config={"loggers": {"ticks": {}}}
        )
    return ticks.noted


def windows(noted: list[Tick]) -> list[tuple[float, float, int]]:
    """Return CPU time for each asset, memory and handles at the end, by windows."""
    size = len(noted) // WINDOWS
    edges = [noted[min(at, len(noted) - 1)] for at in range(0, len(noted) + 1, size)]
    return [
        (round((b.cpu_ms - a.cpu_ms) / size, 1), round(b.memory, 1), b.handles)
        for a, b in itertools.pairwise(edges)
    ]


def main() -> None:
    """Run each arm once in a process of its own, print and keep the windows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=1000)
    count = parser.parse_args().assets
    root = Path(tempfile.mkdtemp(prefix="dfsession_run_"))
    try:
        write_files(root / "sql", count)
        found = {
            arm: windows(
                [Tick(*each) for each in alone("benchmarks.runs", arm, root, count)]
            )
            for arm in ("bare", "files")
        }
    finally:
        shutil.rmtree(root)
    print("last asset   CPU ms an asset       memory MiB         handles")
    for at, (plain, ours) in enumerate(
        zip(found["bare"], found["files"], strict=True), start=1
    ):
        told = "   ".join(f"{a:>7} {b:>7}" for a, b in zip(plain, ours, strict=True))
        print(f"{at * count // WINDOWS:10}   {told}")
    keep(f"run of {count} assets", found)


if __name__ == "__main__":
    if sys.argv[1:2] and not sys.argv[1].startswith("-"):
        print(json.dumps(run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        main()
