"""dagster-polars: its Delta IO manager, all partitions of an asset in one table."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl
import pyarrow as pa
from dagster_polars import PolarsDeltaIOManager
from deltalake import DeltaTable


class Polars:
    """Polars frames in and out."""

    loads_as = pl.DataFrame
    row_counts = ("dagster/row_count", "dagster/partition_row_count")
    growing: Mapping[str, Any] = MappingProxyType(
        {"delta_write_options": {"schema_mode": "merge"}}
    )
    appending: Mapping[str, Any] = MappingProxyType({"mode": "append"})

    def resources(self, root: Path) -> Mapping[str, Any]:
        return {"io_manager": PolarsDeltaIOManager(base_dir=str(root))}

    def keyed_by(self, column: str | Mapping[str, str]) -> Mapping[str, Any]:
        return {"partition_by": column}

    def value(self, table: pa.Table) -> Any:
        return pl.from_arrow(table)

    def stream(self, batches: pa.RecordBatchReader) -> None:
        del batches  # frames only, which are in memory when they are returned

    def table(self, loaded: pl.DataFrame) -> pa.Table:
        return loaded.to_arrow()

    def stored(self, root: Path, asset: str) -> pa.Table | None:
        uri = str(root / f"{asset}.delta")
        if not DeltaTable.is_deltatable(uri):
            return None
        return DeltaTable(uri).to_pyarrow_table()
