"""The zero-row bootstrap of each asset, as an asset check."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from dagster_dfsession import (
    DataFusionDeltaIOManager,
    DataFusionSessionResource,
    build_plan_checks,
    sql_asset,
)

Run = Callable[..., dg.ExecuteInProcessResult]


@dg.asset(metadata={"contract": {"schema": {"id": "int64", "delay": "int64"}}})
def events() -> pa.Table:
    return pa.table({"id": [1], "delay": [2]})


def late(column: str) -> dg.AssetsDefinition:
    return sql_asset(name="late", sql=f"SELECT id\nFROM events WHERE {column} > 1")


def checked(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {
        each.asset_key.to_user_string(): each
        for each in result.get_asset_check_evaluations()
    }


def alone(run: Run, *assets: Any) -> dict[str, dg.AssetCheckEvaluation]:
    checks = build_plan_checks(assets)
    chosen = dg.AssetSelection.checks(*checks)
    return checked(run(*assets, *checks, selection=chosen))


def test_what_does_not_plan_fails_with_where_and_what_was_meant(run: Run) -> None:
    behind = sql_asset(name="behind", sql="SELECT id FROM late")

    found = alone(run, events, late("delays"), behind)

    assert {name: each.passed for name, each in found.items()} == {
        "events": True,
        "late": False,
        "behind": False,
    }
    assert "delays" in str(found["late"].description)
    value: Any = found["late"].metadata["dfsession/faults"].value
    assert [dict(each.data) for each in value.records] == [
        {"name": "delays", "where": "2:19", "meant": "events.delay"}
    ]
    assert found["behind"].description == "reads late, which failed"


def test_what_plans_passes_without_a_table(run: Run) -> None:
    found = alone(run, events, late("delay"))

    assert {name: str(each.description) for name, each in found.items()} == {
        "events": "Its columns were taken from its contract or its table.",
        "late": "It plans, and fits.",
    }
    assert all(each.passed for each in found.values())


def test_a_plan_that_fails_blocks_what_is_downstream(run: Run) -> None:
    @dg.asset(metadata={"dfsession/zero_rows": True})
    def first(events: pa.Table) -> pa.Table:
        return pa.table({"id": [events.column("id")[0].as_py()]})

    assets = [events, first, sql_asset(name="after", sql="SELECT id FROM first")]
    checks = build_plan_checks(assets, blocking=True)

    result = run(*assets, *checks, raise_on_error=False)

    made = {each.asset_key for each in result.get_asset_materialization_events()}
    assert made == {dg.AssetKey("events"), dg.AssetKey("first")}
    assert "over no rows: IndexError" in str(checked(result)["first"].description)


def test_a_marked_asset_is_run_over_no_rows_with_its_resources(lake: Path) -> None:
    @dg.asset(metadata={"dfsession/zero_rows": True}, required_resource_keys={"word"})
    def marked(context: dg.AssetExecutionContext, events: pa.Table) -> pa.Table:
        assert events.num_rows == 0
        return events.append_column(context.resources.word, events.column("id"))

    session = DataFusionSessionResource(preset="dev")
    assets = [events, marked, sql_asset(name="reader", sql="SELECT said FROM marked")]
    definitions = dg.Definitions(
        assets=assets,
        asset_checks=build_plan_checks(assets),
        jobs=[dg.define_asset_job("check", dg.AssetSelection.all_asset_checks())],
        resources={
            "dfsession": session,
            "io_manager": DataFusionDeltaIOManager(session=session, root_uri=str(lake)),
            "word": "said",
        },
    )

    result = definitions.resolve_job_def("check").execute_in_process()

    assert {name: each.passed for name, each in checked(result).items()} == {
        "events": True,
        "marked": True,
        "reader": True,
    }
    assert not lake.exists()
