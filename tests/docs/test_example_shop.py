"""docs/examples/shop.py: SQL, Python, functions and contracts."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pytest

import dagster_dfsession as dfs
from tests.docs.loading import loaded

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
Rows = Callable[..., list[dict[str, Any]]]
Sell = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def shop(lake: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("DFSESSION_LAKE_ROOT", str(lake))
    monkeypatch.syspath_prepend(EXAMPLES)
    return loaded(EXAMPLES / "shop.py")


@pytest.fixture
def sell(shop: ModuleType) -> Sell:
    """Run the whole shop, with these receipts if any are given."""
    definitions: dg.Definitions = shop.defs
    job = definitions.resolve_implicit_global_asset_job_def()

    def selling(*receipts: str) -> dg.ExecuteInProcessResult:
        ops = {"receipts": {"config": {"receipts": [*receipts]}}} if receipts else {}
        quiet = {"console": {"config": {"log_level": "CRITICAL"}}}
        return job.execute_in_process(run_config={"ops": ops, "loggers": quiet})

    return selling


def metadata(result: dg.ExecuteInProcessResult, node: str) -> dict[str, Any]:
    (made,) = result.asset_materializations_for_node(node)
    return {key: value.value for key, value in made.metadata.items()}


def test_the_report_is_made_of_sql_functions_and_frames(sell: Sell, rows: Rows) -> None:
    result = sell()

    assert rows("report") == [
        {"sku": "b1", "share": 50.0},
        {"sku": "t1", "share": 50.0},
    ]
    of_sales = metadata(result, "sales")
    (function,) = of_sales["dfsession/udfs"].records
    assert function.data["name"] == "net_price"
    assert of_sales["dfsession/contract"].records


def test_goods_without_a_rate_break_the_contract_and_nothing_is_written(
    sell: Sell, rows: Rows
) -> None:
    sell()
    with pytest.raises(dfs.ContractError, match="not_null net") as refused:
        sell("b1:book:10.70", "b2:boat:99.00")

    (broken,) = refused.value.broken
    assert (broken.rows, broken.examples[0]["sku"]) == (1, "b2")
    assert len(rows("sales")) == 3
    assert len(rows("report")) == 2


def test_the_lineage_of_a_query_goes_through_the_function(sell: Sell) -> None:
    lineage = metadata(sell(), "sales")["dagster/column_lineage"].deps_by_column

    assert {each.column_name for each in lineage["net"]} == {"gross", "kind"}
