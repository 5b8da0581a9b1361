"""dagster-delta: one Delta table an asset, below a directory for the schema."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
from dagster_delta import DeltaLakePyarrowIOManager, LocalConfig
from deltalake import DeltaTable


class Delta:
    """Arrow tables in and out."""

    loads_as = pa.Table
    row_counts = (
        "dagster/row_count",
        "dagster/partition_row_count",
        "num_rows_in_source",
    )
    growing: Mapping[str, Any] = MappingProxyType({"schema_mode": "merge"})
    appending: Mapping[str, Any] = MappingProxyType({"mode": "append"})

    def resources(self, root: Path) -> Mapping[str, Any]:
        return {
            "io_manager": DeltaLakePyarrowIOManager(
                root_uri=str(root), storage_options=LocalConfig()
            )
        }

    def keyed_by(self, column: str | Mapping[str, str]) -> Mapping[str, Any]:
        return {"partition_expr": column}

    def value(self, table: pa.Table) -> Any:
        return table

    def stream(self, batches: pa.RecordBatchReader) -> Any:
        return batches

    def table(self, loaded: pa.Table) -> pa.Table:
        return loaded

    def stored(self, root: Path, asset: str) -> pa.Table | None:
        uri = str(root / "public" / asset)
        if not DeltaTable.is_deltatable(uri):
            return None
        return DeltaTable(uri).to_pyarrow_table()
