"""dagster-duckdb with dagster-duckdb-polars: tables of one database file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
from dagster_duckdb_polars import DuckDBPolarsIOManager


class Duckdb:
    """Polars frames in and out."""

    loads_as = pl.DataFrame
    row_counts = ("dagster/row_count", "dagster/partition_row_count", "row_count")
    growing = None
    appending = None

    def resources(self, root: Path) -> Mapping[str, Any]:
        return {"io_manager": DuckDBPolarsIOManager(database=str(root / "lake.duckdb"))}

    def keyed_by(self, column: str | Mapping[str, str]) -> Mapping[str, Any]:
        return {"partition_expr": column}

    def value(self, table: pa.Table) -> Any:
        return pl.from_arrow(table)

    def stream(self, batches: pa.RecordBatchReader) -> None:
        del batches  # frames only, which are in memory when they are returned

    def table(self, loaded: pl.DataFrame) -> pa.Table:
        return loaded.to_arrow()

    def stored(self, root: Path, asset: str) -> pa.Table | None:
        database = root / "lake.duckdb"
        if not database.exists():
            return None
        # A step that fails leaves its connection open, and others have to be like it.
        alike: dict[str, Any] = {"custom_user_agent": "dagster"}
        with duckdb.connect(str(database), config=alike) as connection:
            named = "SELECT count(*) FROM duckdb_tables() WHERE table_name = ?"
            if connection.execute(named, [asset]).fetchall() == [(0,)]:
                return None
            return connection.table(f"public.{asset}").to_arrow_table()
