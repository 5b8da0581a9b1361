"""The session that made an asset, against the one that is configured now."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from dagster_dfsession import build_session_drift_checks, sql_asset

Run = Callable[..., dg.ExecuteInProcessResult]
Check = Callable[..., dg.AssetCheckEvaluation]
Module = Callable[..., str]

QUERY = sql_asset(name="query", sql="SELECT arrow_cast(1, 'Int64') AS x")
VIENNA = {"profile": {"hardening": {"time_zone": "Europe/Vienna"}}}
SMALL = {"profile": {"execution": {"batch_size": 77}}}


@dg.asset
def plain() -> pa.Table:
    return pa.table({"x": [1]})


def calling(name: str) -> dg.AssetsDefinition:
    return sql_asset(name="caller", sql=f"SELECT {name}(x) AS x FROM plain")


def shown(found: dg.AssetCheckEvaluation) -> list[tuple[Any, ...]]:
    value: Any = found.metadata["dfsession/drift"].value
    return [tuple(each.data.values()) for each in value.records]


@pytest.fixture
def drift(check: Check) -> Callable[..., dg.AssetCheckEvaluation]:
    def evaluate(asset: Any, **session: Any) -> dg.AssetCheckEvaluation:
        return check(asset, *build_session_drift_checks([asset]), session=session)

    return evaluate


def test_an_asset_that_the_session_of_now_made_passes(run: Run, drift: Check) -> None:
    run(QUERY)

    found = drift(QUERY)

    assert found.passed
    assert found.description == "The session of now made it."


def test_a_setting_that_changes_results_fails(run: Run, drift: Check) -> None:
    run(QUERY)

    found = drift(QUERY, **VIENNA)

    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.ERROR
    assert found.description == "The session of now could make other rows."
    first, *others = shown(found)
    assert first == (
        "datafusion.execution.time_zone",
        "UTC",
        "Europe/Vienna",
        True,
    )
    assert [each[0] for each in others] == ["profile"]


def test_a_batch_size_only_warns(run: Run, drift: Check) -> None:
    run(QUERY)

    found = drift(QUERY, **SMALL)

    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.WARN
    assert found.description == (
        "The session of now is another one, and makes the same rows."
    )
    assert ("datafusion.execution.batch_size", "8192", "77", False) in shown(found)


def test_rows_that_no_query_made_depend_on_no_setting(run: Run, drift: Check) -> None:
    run(plain)

    assert drift(plain, **VIENNA).severity == dg.AssetCheckSeverity.WARN


def test_a_function_that_is_called_fails_with_what_changed_in_its_text(
    run: Run, drift: Check, module: Module
) -> None:
    run(plain, calling("f"), session={"udfs": [module("one", f=1, g=1)]})

    other = drift(calling("f"), udfs=[module("two", f=1, g=2)])
    called = drift(calling("f"), udfs=[module("three", f=3, g=1)])

    assert other.severity == dg.AssetCheckSeverity.WARN
    assert called.severity == dg.AssetCheckSeverity.ERROR
    assert [each[0] for each in shown(called) if each[3]] == ["function f"]
    text = str(called.metadata["dfsession/drift_functions"].value)
    assert "-    return pc.add(x, 1)\n+    return pc.add(x, 3)" in text


def test_a_function_that_takes_the_place_of_a_built_in_one_fails(
    run: Run, drift: Check, module: Module
) -> None:
    run(plain, calling("abs"))

    found = drift(calling("abs"), udfs=[module("own_abs", abs=1)])

    assert found.severity == dg.AssetCheckSeverity.ERROR


def test_each_partition_has_a_session_of_its_own(run: Run, drift: Check) -> None:
    daily = sql_asset(
        name="daily",
        sql="SELECT $partition_key AS day",
        partitions_def=dg.StaticPartitionsDefinition(["a", "b", "c"]),
        metadata={"partition_expr": "day"},
    )
    for key, session in {"a": {}, "b": VIENNA}.items():
        run(daily, key=key, session=session)

    found = drift(daily)

    assert found.description == (
        "The session of now could make other rows in 1 partitions: b."
    )


def test_what_has_no_record_is_unknown_and_warns(
    run: Run, drift: Check, lake: Path
) -> None:
    never = drift(QUERY)
    run(QUERY)
    [record] = lake.joinpath("_dfsession", "records").iterdir()
    record.unlink()
    gone = drift(QUERY)

    assert {never.passed, gone.passed} == {False}
    assert {never.severity, gone.severity} == {dg.AssetCheckSeverity.WARN}
    assert "there is no materialization of query" in str(never.description)
    assert "it may have been cleaned up" in str(gone.description)


def test_nothing_decides_that_does_not_change_the_plan(
    run: Run, drift: Check, module: Module
) -> None:
    """What the check says beforehand is what a run shows afterwards."""
    one = module("first", f=1, g=1)
    sessions: dict[str, dict[str, Any]] = {
        "same": {"udfs": [one]},
        "moved": {"udfs": [module("elsewhere", f=1, g=1)]},
        "zone": {"udfs": [one], **VIENNA},
        "batch": {"udfs": [one], **SMALL},
        "other": {"udfs": [module("other", f=1, g=2)]},
        "body": {"udfs": [module("body", f=2, g=1)]},
    }
    asset = calling("f")

    def plan_hash(session: Any) -> Any:
        [event] = run(asset, session=session).asset_materializations_for_node("caller")
        return event.metadata["dfsession/plan_hash"].value

    run(plain, asset, session=sessions["same"])
    found = {name: drift(asset, **session) for name, session in sessions.items()}
    hashes = {name: plan_hash(session) for name, session in sessions.items()}

    failed = {name for name, each in found.items() if _fails(each)}
    assert failed == {"zone", "body"}
    assert failed == {name for name in hashes if hashes[name] != hashes["same"]}


def _fails(found: dg.AssetCheckEvaluation) -> bool:
    return not found.passed and found.severity == dg.AssetCheckSeverity.ERROR


def test_a_check_writes_nothing(run: Run, drift: Check, lake: Path) -> None:
    run(QUERY)
    before = sorted(map(str, lake.rglob("*")))

    drift(QUERY, **VIENNA)

    assert sorted(map(str, lake.rglob("*"))) == before
    assert DeltaTable(str(lake / "query")).version() == 0
