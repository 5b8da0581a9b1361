"""The tables and queries of TPC-H and TPC-DS, as DuckDB's extensions make them."""

import functools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Literal

import duckdb
import duckdb_extension_tpcds
import duckdb_extension_tpch
import pyarrow as pa

Suite = Literal["tpch", "tpcds"]
EXTENSIONS: Mapping[Suite, tuple[ModuleType, str]] = MappingProxyType(
    {
        "tpch": (duckdb_extension_tpch, "dbgen"),
        "tpcds": (duckdb_extension_tpcds, "dsdgen"),
    }
)
QUERIES: tuple[tuple[Suite, int], ...] = (
    *(("tpch", number) for number in range(1, 23)),
    *(("tpcds", number) for number in range(1, 100)),
)
"""Suite and number of each of the 121 queries."""


@functools.cache
def queries(suite: Suite) -> Mapping[int, str]:
    """Return number -> SQL."""
    with _opened(suite) as connection:
        rows = connection.execute(f"SELECT query_nr, query FROM {suite}_queries()")
        return {number: text.strip().rstrip(";") for number, text in rows.fetchall()}


@functools.cache
def tables(suite: Suite, scale: float = 0) -> Mapping[str, pa.Table]:
    """Return name -> rows; at scale 0, there are columns alone."""
    with _opened(suite) as connection:
        connection.execute(f"CALL {EXTENSIONS[suite][1]}(sf={scale})")
        names = connection.execute("SHOW TABLES").fetchall()
        return {
            name: connection.execute(f"FROM {name}").to_arrow_table()
            for (name,) in names
        }


def _opened(suite: Suite) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    package = Path(str(EXTENSIONS[suite][0].__file__)).parent
    (extension,) = package.rglob("*.duckdb_extension")
    connection.load_extension(str(extension))
    return connection
