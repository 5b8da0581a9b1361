"""This project's IO manager."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from dagster_dfsession import DataFusionDeltaIOManager, DataFusionSessionResource


class Dfsession:
    """Arrow tables in and out."""

    loads_as = pa.Table
    row_counts = ("dagster/row_count",)
    growing: Mapping[str, Any] = MappingProxyType({"schema_mode": "merge"})
    appending: Mapping[str, Any] = MappingProxyType({"mode": "append"})

    def resources(self, root: Path) -> Mapping[str, Any]:
        session = DataFusionSessionResource(preset="dev")
        lake = DataFusionDeltaIOManager(session=session, root_uri=str(root))
        return {"dfsession": session, "io_manager": lake}

    def keyed_by(self, column: str | Mapping[str, str]) -> Mapping[str, Any]:
        return {"partition_expr": column}

    def value(self, table: pa.Table) -> Any:
        return table

    def stream(self, batches: pa.RecordBatchReader) -> Any:
        return batches

    def table(self, loaded: pa.Table) -> pa.Table:
        return loaded

    def stored(self, root: Path, asset: str) -> pa.Table | None:
        uri = str(root / asset)
        if not DeltaTable.is_deltatable(uri):
            return None
        return DeltaTable(uri).to_pyarrow_table()
