"""What docs/migration.md says of tables that dagster-deltalake wrote."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from dagster_deltalake import DeltaLakePyarrowIOManager, LocalConfig
from datafusion import DataFrame

DAYS = dg.StaticPartitionsDefinition(["2026-01-01", "2026-01-02"])


@dg.asset(key_prefix="public", partitions_def=DAYS, metadata={"partition_expr": "day"})
def orders(context: dg.AssetExecutionContext) -> pa.Table:
    return pa.table({"day": [context.partition_key], "price": [3.0]})


@dg.asset(ins={"orders": dg.AssetIn(["public", "orders"])})
def takings(orders: DataFrame) -> DataFrame:
    return orders.select("price")


# pydantic's `dict` and logging's `warn` are what dagster-deltalake still calls.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_its_tables_are_read_and_written_where_they_are(
    run: Callable[..., dg.ExecuteInProcessResult],
    rows: Callable[..., list[dict[str, Any]]],
    lake: Path,
) -> None:
    before = DeltaLakePyarrowIOManager(
        root_uri=str(lake), storage_options=LocalConfig(), schema="public"
    )
    for day in DAYS.get_partition_keys():
        dg.materialize([orders], resources={"io_manager": before}, partition_key=day)

    run(orders, takings, selection=[takings])
    assert rows("takings") == [{"price": 3.0}] * 2

    result = run(orders, key="2026-01-02")
    (made,) = result.asset_materializations_for_node("public__orders")
    assert made.metadata["dfsession/table_version"].value == 2
    assert [row["day"] for row in rows("public", "orders")] == DAYS.get_partition_keys()
