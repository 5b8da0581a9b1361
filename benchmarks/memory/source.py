"""TPC-H as Delta tables: `python -m benchmarks.memory.source SCALE HOME`.

`tpchgen-cli`, a package of that name, writes Parquet files part by part, so that a
scale may be larger than memory; the tables are those files, with a log beside them.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from deltalake import convert_to_deltalake

from tests.tpc.benchmark import queries

PARTS = 8
EXTRA: Mapping[str, str] = MappingProxyType(
    {
        "sort": "SELECT * FROM lineitem ORDER BY l_shipdate, l_partkey, l_orderkey",
        "join": """
            SELECT o_orderkey, o_orderdate, o_comment, count(*) AS lines,
                   sum(l_extendedprice) AS price, max(l_comment) AS last
            FROM lineitem JOIN orders ON l_orderkey = o_orderkey
            GROUP BY o_orderkey, o_orderdate, o_comment
        """,
        "group": """
            SELECT l_partkey, count(DISTINCT l_orderkey) AS orders,
                   count(DISTINCT l_suppkey) AS suppliers, sum(l_quantity) AS quantity
            FROM lineitem GROUP BY l_partkey
        """,
        "distinct": """
            SELECT count(*) AS pairs
            FROM (SELECT DISTINCT l_orderkey, l_partkey FROM lineitem)
        """,
    }
)
"""What TPC-H has none of: a sort of all rows, a join and groups as large as a table."""


def texts() -> dict[str, str]:
    """Return the queries by name: those of TPC-H, then those with much to hold."""
    tpch = {f"q{number:02}": text for number, text in queries("tpch").items()}
    return {**tpch, **EXTRA}


def write_tables(scale: float, home: Path) -> None:
    """Write the lake; where it is already, leave it."""
    done = home / "done"
    if done.exists():
        return
    if (command := shutil.which("tpchgen-cli")) is None:
        raise SystemExit("tpchgen-cli is not on the PATH; install the package")
    what = ["-s", f"{scale:g}", "--parts", str(PARTS), "--compression", "ZSTD(1)"]
    subprocess.run(
        [command, "parquet", *what, "--overwrite", "--output-dir", home], check=True
    )
    for table in sorted(each for each in home.iterdir() if each.is_dir()):
        convert_to_deltalake(table)
    done.touch()


if __name__ == "__main__":
    write_tables(float(sys.argv[1]), Path(sys.argv[2]))
