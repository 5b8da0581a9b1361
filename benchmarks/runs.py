"""What an asset costs from the first to the thousandth of one run, and what is held.

    python -m benchmarks.runs --assets 1000

All arms write as many small Delta tables in one process, each made of another one, and
keep their events in memory. CPU time and resident memory are read as each step ends; a
window is a tenth of the run.

* `bare`: functions under `@dagster.asset`: a SessionContext, `write_deltalake`.
* `told`: the same functions return their frames to an IO manager, which writes them and
  adds to each the metadata that this package gave to one asset: what Dagster holds of
  such a run.
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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import pyarrow as pa
from datafusion import DataFrame, SessionContext
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


def bare(root: Path, count: int, *, returned: bool) -> list[dg.AssetsDefinition]:
    """Return the assets without this package, which write or return their frames."""
    # A frame over a Delta table needs its session to be there until it is written.
    shared = SessionContext()

    def asset(
        at: int, key: tuple[str, str], reads: tuple[str, str]
    ) -> dg.AssetsDefinition:
        def framed() -> DataFrame:
            return planned(shared, at, root.joinpath(*reads))

        def written() -> None:
            ctx = SessionContext()
            write(planned(ctx, at, root.joinpath(*reads)), root.joinpath(*key))

        made = dg.asset(name=key[1], key_prefix=key[0], deps=[dg.AssetKey(reads)])
        return made(framed if returned else written)

    return [asset(*each) for each in chained(count)]


def planned(ctx: SessionContext, at: int, table: Path) -> DataFrame:
    """Return the frame of an asset."""
    ctx.register_table("t", DeltaTable(table))
    frame = ctx.sql(
        "SELECT user_id, sum(amount) AS amount FROM t "  # noqa: S608  # a number
        f"WHERE amount > {at} GROUP BY user_id"
    )
    ctx.deregister_table("t")
    return frame


def write(frame: DataFrame, place: Path) -> None:
    """Write a frame as it comes."""
    batches = (each.to_pyarrow() for each in frame.execute_stream())
    rows = pa.RecordBatchReader.from_batches(frame.schema(), batches)
    write_deltalake(place, rows, mode="overwrite")


class Telling(dg.IOManager):
    """Writes frames, and tells the same of each."""

    def __init__(self, root: Path, metadata: Mapping[str, Any]) -> None:
        self._root = root
        self._metadata = metadata

    def handle_output(self, context: dg.OutputContext, obj: DataFrame) -> None:
        """Write a frame."""
        write(obj, self._root.joinpath(*context.asset_key.path))
        context.add_output_metadata(self._metadata)

    def load_input(self, context: dg.InputContext) -> None:
        """Load nothing: the assets read by themselves."""


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
    ours = DataFusionDeltaIOManager(session=session, root_uri=str(lake))
    files: list[Any] = load_sql_assets(
        root / "sql", external=["raw/events"], session=session
    )

    def executed(assets: Sequence[Any], manager: Any) -> dg.ExecuteInProcessResult:
        definitions = dg.Definitions(
            assets=assets,
            resources={"dfsession": session, "io_manager": manager},
            loggers={"ticks": ticking},
        )
        with dg.DagsterInstance.ephemeral() as instance:
            return (
                definitions.resolve_implicit_global_asset_job_def().execute_in_process(
                    instance=instance, run_config={"loggers": {"ticks": {}}}
                )
            )

    if arm == "files":
        executed(files, ours)
    elif arm == "bare":
        executed(bare(lake, count, returned=False), ours)
    else:
        (made,) = executed(files[:1], ours).get_asset_materialization_events()
        ticks.noted.clear()
        told = made.step_materialization_data.materialization.metadata
        executed(bare(lake, count, returned=True), Telling(lake, told))
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
            for arm in ("bare", "told", "files")
        }
    finally:
        shutil.rmtree(root)
    print("last asset  " + "".join(f"{arm:>24}" for arm in found))
    print(12 * " " + len(found) * "  CPU ms   MiB   handles")
    for at, window in enumerate(zip(*found.values(), strict=True), start=1):
        told = "".join(f"{cpu:>8}{mib:>9}{open_:>7}" for cpu, mib, open_ in window)
        print(f"{at * count // WINDOWS:10}  {told}")
    keep(f"run of {count} assets", found)


if __name__ == "__main__":
    if sys.argv[1:2] and not sys.argv[1].startswith("-"):
        print(json.dumps(run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        main()
