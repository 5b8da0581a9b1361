"""Write the graph's directory: `python -m benchmarks.tpch.source SCALE HOME`.

A process of its own, so that its memory is nobody's.
"""

import sys
from pathlib import Path

import pyarrow.parquet as pq

from tests.tpc.benchmark import queries, tables


def write_graph(scale: float, home: Path) -> None:
    """Write tables and queries; where they are already, leave them."""
    done = home / "done"
    if done.exists():
        return
    for name in ("raw", "queries"):
        (home / name).mkdir(parents=True, exist_ok=True)
    for table, rows in tables("tpch", scale).items():
        pq.write_table(rows, home / "raw" / f"{table}.parquet")
    for number, text in queries("tpch").items():
        (home / "queries" / f"q{number:02}.sql").write_text(text, encoding="utf-8")
    done.touch()


if __name__ == "__main__":
    write_graph(float(sys.argv[1]), Path(sys.argv[2]))
