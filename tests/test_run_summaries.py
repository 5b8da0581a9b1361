"""When a run is over, one file in the lake says what became of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

import dagster_dfsession as dfs

Run = Callable[..., dg.ExecuteInProcessResult]


@dg.asset
def numbers() -> pa.Table:
    return pa.table({"n": [1, 2]})


@dg.asset(
    partitions_def=dg.StaticPartitionsDefinition(["a", "b"]),
    metadata={"partition_expr": "part"},
)
def parted() -> pa.Table:
    return pa.table({"part": ["a", "b", "b"]})


@dg.asset(deps=[numbers])
def failing() -> pa.Table:
    raise ValueError("the password is hunter2")


@pytest.fixture
def summary(
    lake: Path, instance: dg.DagsterInstance
) -> Callable[[dg.ExecuteInProcessResult], dict[str, Any]]:
    """Let the sensor of the run's status see it; return what it wrote."""
    session = dfs.DataFusionSessionResource(preset="dev")
    io = dfs.DataFusionDeltaIOManager(session=session, root_uri=str(lake))

    def summarize(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        *_, event = [
            each.dagster_event
            for each in instance.all_logs(run.run_id)
            if each.dagster_event and each.dagster_event.is_job_event
        ]
        assert event is not None
        [sensor] = [
            each
            for each in dfs.build_run_summary_sensors()
            if each.name == f"dfsession_run_summary_{run.status.value.lower()}"
        ]
        context = dg.build_run_status_sensor_context(
            sensor_name=sensor.name,
            dagster_event=event,
            dagster_instance=instance,
            dagster_run=run,
            resources={"io_manager": io},
        )
        with context:
            sensor(context)
        path = lake / "_dfsession" / "runs" / f"{run.run_id}.json"
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    return summarize


def test_a_run_is_summed_up(
    run: Run, instance: dg.DagsterInstance, summary: Callable[..., Any]
) -> None:
    checks = dfs.build_metadata_bounds_checks(
        [numbers], metadata_key="dagster/row_count", min_value=3
    )

    found = summary(run(numbers, *checks, instance=instance))

    assert found["status"] == "SUCCESS"
    assert found["seconds"] > 0
    [asset] = found["assets"]
    assert (asset["asset"], asset["rows"], asset["version"]) == ("numbers", 2, 0)
    assert len(asset["session_hash"]) == 64
    assert (found["checks"], found["failed_checks"]) == (
        0,
        ["numbers: row_count_bounds"],
    )
    assert found["failed_steps"] == []


def test_the_partitions_of_a_run_are_one_asset(
    run: Run, instance: dg.DagsterInstance, summary: Callable[..., Any]
) -> None:
    [asset] = summary(run(parted, keys=("a", "b"), instance=instance))["assets"]

    assert asset["partitions"] == ["a", "b"]
    assert asset["rows"] == 3


def test_a_failed_run_tells_its_steps_and_no_text_of_theirs(
    run: Run, instance: dg.DagsterInstance, summary: Callable[..., Any]
) -> None:
    found = summary(run(numbers, failing, instance=instance, raise_on_error=False))

    assert found["status"] == "FAILURE"
    assert found["failed_steps"] == [{"step": "failing", "error": "ValueError"}]
    assert [each["asset"] for each in found["assets"]] == ["numbers"]
    assert "hunter2" not in str(found)


def test_a_summary_is_written_once(
    run: Run, instance: dg.DagsterInstance, lake: Path, summary: Callable[..., Any]
) -> None:
    result = run(numbers, instance=instance)
    summary(result)
    path = lake / "_dfsession" / "runs" / f"{result.run_id}.json"
    path.write_text('{"by": "hand"}')

    assert summary(result) == {"by": "hand"}


def test_a_tick_finds_the_runs_since_the_one_before(
    run: Run, instance: dg.DagsterInstance, lake: Path
) -> None:
    session = dfs.DataFusionSessionResource(preset="dev")
    io = dfs.DataFusionDeltaIOManager(session=session, root_uri=str(lake))
    success, *_ = dfs.build_run_summary_sensors(monitor_all_code_locations=True)

    def tick(cursor: str | None = None) -> str | None:
        context = dg.build_sensor_context(
            instance,
            cursor=cursor,
            resources={"io_manager": io},
            definitions=dg.Definitions([numbers], resources={"io_manager": io}),
        )
        with context:
            success.evaluate_tick(context)
            return context.cursor

    cursor = tick()
    result = run(numbers, instance=instance)
    tick(cursor)

    assert (lake / "_dfsession" / "runs" / f"{result.run_id}.json").exists()
