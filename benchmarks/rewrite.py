"""How much memory a rewrite of TPC-H `lineitem` takes, in a run of Dagster.

    python -m benchmarks.rewrite [--scale N] [--arms NAME ...]

Each arm is a process of its own: one asset, read from Parquet and written to Delta
through the IO manager, under a fair memory pool of 1 GiB. What is told is the most
memory that the process ever held. The rows come from `tpchgen-cli`, a package of that
name.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dagster as dg

from benchmarks.harness import keep
from dagster_dfsession import DataFusionDeltaIOManager, DataFusionSessionResource

SESSION = {"runtime": {"memory_pool": {"kind": "fair", "size": "1G"}}}
LIMIT_MIB = 2048

BY_YEAR = "SELECT *, CAST(date_part('year', l_shipdate) AS int) AS y FROM lineitem"
FLAT = "SELECT * FROM lineitem"
CONTRACT = {
    "not_null": ["l_orderkey"],
    "unique": ["l_orderkey", "l_linenumber"],
    "checks": {"positive": "l_quantity > 0", "shipped": "l_shipdate >= '1992-01-01'"},
}
ARMS: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "flat": (FLAT, {}),
        "by year": (BY_YEAR, {"partition_by": "y"}),
        "sorted": (FLAT, {"layout": {"sort_by": ["l_shipdate", "l_partkey"]}}),
        "contract": (FLAT, {"contract": CONTRACT}),
    }
)


def rewrite(arm: str, source: Path, root: Path) -> dict[str, float]:
    """Write one arm's table; return its figures, memory of the whole process."""
    query, metadata = ARMS[arm]

    @dg.asset(metadata=metadata)
    def lineitem(dfsession: DataFusionSessionResource) -> Any:
        ctx = dfsession.session().ctx
        return dfsession.sql(query, lineitem=ctx.read_parquet(str(source)))

    session = DataFusionSessionResource(preset="prod", profile=SESSION)
    manager = DataFusionDeltaIOManager(session=session, root_uri=str(root))
    started = time.perf_counter()
    result = dg.materialize(
        [lineitem], resources={"dfsession": session, "io_manager": manager}
    )
    [event] = result.asset_materializations_for_node("lineitem")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": round(time.perf_counter() - started, 1),
        # Kibibytes, but for macOS, where they are bytes.
        "peak_mib": peak // (1024 * 1024 if sys.platform == "darwin" else 1024),
        "rows": float(str(event.metadata["dagster/row_count"].value)),
        "spilled_mib": int(str(event.metadata["dfsession/spilled_bytes"].value)) >> 20,
    }


def generate(scale: float, directory: Path) -> Path:
    """Write `lineitem` as one Parquet file."""
    command = Path(sysconfig.get_path("scripts")) / "tpchgen-cli"
    arguments = ["-s", str(scale), "--tables", "lineitem"]
    subprocess.run(
        [command, "parquet", *arguments, "--output-dir", directory], check=True
    )
    return directory / "lineitem.parquet"


def measured(arm: str, source: Path, directory: Path) -> dict[str, float]:
    """Run one arm in a process of its own, and drop its table."""
    command = [sys.executable, "-m", "benchmarks.rewrite", "--arm", arm]
    places = ["--source", str(source), "--root", str(directory / "lake")]
    printed = subprocess.run(
        [*command, *places], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    shutil.rmtree(directory / "lake")
    figures: dict[str, float] = json.loads(printed.splitlines()[-1])
    return figures


def main() -> None:
    """Run the arms, print their figures, keep them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help="use this file; else it is made")
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.arm:
        print(json.dumps(rewrite(given.arm, given.source, given.root)))
        return
    directory = Path(tempfile.mkdtemp(prefix="dfsession_rewrite_"))
    try:
        source = given.source or generate(given.scale, directory)
        found = {arm: measured(arm, source, directory) for arm in given.arms}
    finally:
        shutil.rmtree(directory)
    for arm, figures in found.items():
        over = " OVER" if figures["peak_mib"] > LIMIT_MIB else ""
        print(f"{arm:9} {figures}{over}")
    keep(f"rewrite of lineitem, scale {given.scale:g}", found)


if __name__ == "__main__":
    main()
