"""The events of all runs as a table of the lake; sinks that a profile names."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from datafusion import DataFrame
from deltalake import DeltaTable

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.delta.events import COLUMNS, EVENTS
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import InstallError, LocationError, ProfileError
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.profile.codec import parse_profile
from dagster_dfsession.profile.diagnostics import DiagnosticsProfile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.telemetry.sink import Entry, MemorySink

Run = Callable[..., dg.ExecuteInProcessResult]
TO_LAKE = {"profile": {"diagnostics": {"sinks": ["delta"]}}}


@dg.asset
def numbers() -> pa.Table:
    return pa.table({"n": [1, 2, 3]})


@dg.asset(deps=[numbers])
def total(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql("SELECT sum(n) AS n FROM numbers")


@dg.asset
def broken(dfsession: DataFusionSessionResource) -> DataFrame:
    return dfsession.sql("SELECT CAST('x' AS bigint) AS n")


def test_events_of_all_runs_are_a_table_of_the_lake(run: Run, lake: Path) -> None:
    seen: list[dict[str, Any]] = []

    @dg.asset
    def reader(dfsession: DataFusionSessionResource) -> None:
        query = "SELECT * FROM dfsession.events ORDER BY at"
        seen.extend(dfsession.sql(query).to_pylist())

    first = run(numbers, total, session=TO_LAKE)
    second = run(broken, session=TO_LAKE, raise_on_error=False)
    run(reader, session=TO_LAKE)
    table = DeltaTable(lake / EVENTS)

    assert not second.success
    assert table.metadata().partition_columns == ["day"]
    assert {row["day"] for row in seen} == {row["at"].date() for row in seen}
    assert [(row["run_id"], row["step"], row["name"]) for row in seen] == [
        (first.run_id, "", "session"),
        (first.run_id, "numbers", "materialization"),
        (first.run_id, "numbers", "lease"),
        (first.run_id, "total", "materialization"),
        (first.run_id, "total", "lease"),
        (first.run_id, "", "teardown"),
        (second.run_id, "", "session"),
        (second.run_id, "broken", "failure"),
        (second.run_id, "broken", "lease"),
        (second.run_id, "", "teardown"),
    ]
    written = json.loads(seen[1]["payload"])
    assert (written["asset"], written["rows"], written["version"]) == ("numbers", 3, 0)
    assert json.loads(seen[7]["payload"])["doing"] == "materializing broken"
    assert set(seen[0]) == set(COLUMNS.names)


def test_before_the_first_run_has_ended_there_are_no_events(run: Run) -> None:
    @dg.asset
    def reader(dfsession: DataFusionSessionResource) -> None:
        dfsession.sql("SELECT * FROM dfsession.events")

    result = run(reader, raise_on_error=False)

    assert not result.success


def test_no_asset_can_be_where_the_events_are() -> None:
    with pytest.raises(LocationError):
        Lake("lake").table(EVENTS.split("/"))


@pytest.fixture
def sinks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module `my_sinks`, importable while the test lasts."""
    module = ModuleType("my_sinks")
    monkeypatch.setitem(sys.modules, "my_sinks", module)
    return module


def test_a_sink_that_fails_fails_no_run(
    run: Run, sinks: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(MemorySink):
        def record(self, entries: Sequence[Entry]) -> None:
            raise OSError(f"no space for {len(entries)}")

    vars(sinks)["make"] = Failing
    asked = {"profile": {"diagnostics": {"sinks": ["my_sinks:make"]}}}

    assert run(numbers, session=asked).success
    assert any(
        "the diagnostics sink 'my_sinks:make' did not take" in each.getMessage()
        and "OSError: no space" in each.getMessage()
        for each in caplog.records
    )


def test_a_sink_of_the_user_hears_of_its_own_run_alone(sinks: ModuleType) -> None:
    made: list[MemorySink] = []

    def make() -> MemorySink:
        made.append(MemorySink())
        return made[-1]

    vars(sinks)["make"] = make
    diagnostics = DiagnosticsProfile(sinks=("my_sinks:make",))
    plan = plan_session(SessionProfile(name="told", diagnostics=diagnostics))
    for run_id in ("first", "second"):
        run = RunSession(plan, run_id)
        run.lease(Scope(run_id=run_id))
        run.close()

    assert [[each.run_id for each in sink.entries] for sink in made] == [
        ["first"] * 3,
        ["second"] * 3,
    ]
    assert all(sink.closed for sink in made)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my_sinks:missing", "has no attribute 'missing'"),
        ("my_sinks:text", "TypeError: 'str' object is not callable"),
        ("my_sinks:thing", "it made a object, which is no sink"),
    ],
)
def test_a_sink_that_cannot_be_made_is_named(
    name: str, said: str, sinks: ModuleType
) -> None:
    vars(sinks).update(text="x", thing=object)
    plan = plan_session(
        SessionProfile(name="told", diagnostics=DiagnosticsProfile(sinks=(name,)))
    )

    with pytest.raises(InstallError, match=said) as refused:
        RunSession(plan, "run")
    assert repr(name) in str(refused.value)


def test_a_misspelt_sink_is_refused_with_those_there_are() -> None:
    with pytest.raises(ProfileError, match="dagster, delta, log, opentelemetry"):
        parse_profile({"diagnostics": {"sinks": ["detla"]}})


def materialized(messages: Iterable[str]) -> dict[str, Any]:
    """Return the one entry of a materialization that a log has."""
    (line,) = [each for each in messages if "dfsession materialization {" in each]
    told: dict[str, Any] = json.loads(line[line.index("{") :])
    return told


def test_entries_are_lines_of_json_in_the_log(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run(numbers, session={"profile": {"diagnostics": {"sinks": ["log"]}}})
    told = materialized(each.getMessage() for each in caplog.records)

    assert (told["name"], told["payload"]["asset"]) == ("materialization", "numbers")


def test_entries_are_lines_of_json_in_the_log_of_the_run(
    run: Run, instance: dg.DagsterInstance
) -> None:
    asked = {"profile": {"diagnostics": {"sinks": ["dagster"]}}}
    result = run(numbers, session=asked, instance=instance)
    logged = instance.all_logs(result.run_id)
    told = materialized(each.user_message for each in logged)

    assert told["run_id"] == result.run_id
    assert told["payload"]["rows"] == 3
