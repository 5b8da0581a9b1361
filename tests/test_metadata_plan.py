"""What `dfsession/plan` shows of a query, as the profile asks for it."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pyarrow as pa
from datafusion import DataFrame

from dagster_dfsession import DataFusionSessionResource

Run = Callable[..., dg.ExecuteInProcessResult]


@dg.asset
def up() -> pa.Table:
    return pa.table({"k": ["a", "a", "b"], "x": [1, 2, 3]})


@dg.asset(deps=[up])
def down(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql("SELECT k, sum(x) AS total FROM up GROUP BY k")


def shown(run: Run, **explain: Any) -> dict[str, Any]:
    session = {"profile": {"diagnostics": {"explain": explain}}}
    [event] = run(up, down, session=session).asset_materializations_for_node("down")
    return {key: value.value for key, value in event.metadata.items()}


def test_the_plan_is_shown_unless_the_profile_says_off(run: Run) -> None:
    planned, unshown = shown(run, kind="plan"), shown(run, kind="off")

    assert "TableScan: up" in planned["dfsession/plan"]
    assert "dfsession/plan" not in unshown
    assert unshown["dfsession/plan_hash"] == planned["dfsession/plan_hash"]


def test_the_slowest_operators_are_below_the_plan_of_a_slow_query(run: Run) -> None:
    always = shown(run, kind="analyze", threshold_ms=0)["dfsession/plan"]
    plan, _, slowest = always.removesuffix("\n```").partition("\n\n")
    header, *operators = slowest.splitlines()

    assert "slowest of" in header
    assert any("DataSourceExec: file_groups={1 group: " in each for each in operators)
    times = [float(each.split()[0]) for each in operators]
    assert times == sorted(times, reverse=True)
    assert all(len(line) <= 76 for line in slowest.splitlines())
    faster = shown(run, kind="analyze", threshold_ms=3_600_000)["dfsession/plan"]
    assert plan + "\n```" == faster
    assert faster == shown(run, kind="plan")["dfsession/plan"]
