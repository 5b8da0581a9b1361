from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import DeltaTable

import dagster_dfsession as dfs
from dagster_dfsession.errors import SessionError

REMOVING = dfs.MaintenancePolicy(retain_hours=0, orphan_hours=0, replayable="remove")


@dg.asset
def flights() -> pa.Table:
    return pa.table({"x": [1, 2]})


@dg.asset(key=["raw", "routes"])
def routes() -> pa.Table:
    return pa.table({"y": [1]})


@dg.asset(metadata={"mode": "append"})
def log() -> pa.Table:
    return pa.table({"x": [1]})


def observations(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    events = result.get_asset_observation_events()
    found = [event.asset_observation_data.asset_observation for event in events]
    return {
        each.asset_key.to_user_string(): {
            key: value.value for key, value in each.metadata.items()
        }
        for each in found
    }


def resources(lake: Path) -> dict[str, Any]:
    session = dfs.DataFusionSessionResource(preset="dev")
    return {
        "io_manager": dfs.DataFusionDeltaIOManager(session=session, root_uri=str(lake))
    }


def test_a_maintenance_asset_maintains_the_tables_above_it(run: Any) -> None:
    upkeep = dfs.build_maintenance_asset("upkeep", ["log", ["raw", "routes"]], REMOVING)
    run(log, routes)
    run(log)

    result = run(log, routes, upkeep)

    (event,) = result.asset_materializations_for_node("upkeep")
    metadata = {key: value.value for key, value in event.metadata.items()}
    assert metadata["dfsession/files_compacted"] == 3
    assert metadata["dfsession/files_removed"] == 3 + 1  # three compacted, one replaced
    assert metadata["dfsession/files_removable"] == 4
    assert metadata["dfsession/bytes_removed"] > 0
    steps = metadata["dfsession/maintenance"].records
    assert [r.data["step"] for r in steps[:2]] == ["optimize", "checkpoint"]
    assert len(steps) == 10
    seen = observations(result)
    assert seen["log"]["dfsession/files_compacted"] == 3
    assert seen["raw/routes"]["dfsession/files_removed"] == 1


def test_the_default_refuses_what_replays_need_and_maintains_the_others(
    run: Any, lake: Path
) -> None:
    run(flights, log)
    first = run(flights, log)
    policy = dfs.MaintenancePolicy(retain_hours=0, steps=("optimize", "vacuum"))
    upkeep = dfs.build_maintenance_asset("upkeep", ["flights", "log"], policy)

    result = run(upkeep, raise_on_error=False)

    (failure,) = [e for e in result.all_events if e.is_step_failure]
    text = str(failure.step_failure_data.user_failure_data.description)
    assert "2 of 2 tables could not be maintained" in text
    assert "flights: DeltaError" in text
    assert "keep" in text
    assert "written by run" in text
    assert first.success
    assert DeltaTable(str(lake / "flights"), version=0).count() == 2


def test_a_launch_may_ask_for_a_dry_run(lake: Path, run: Any) -> None:
    run(flights)
    run(flights)
    before = sorted(lake.rglob("*"))
    job = dfs.build_maintenance_job(
        "nightly", ["flights"], REMOVING, resource_defs=resources(lake)
    )

    result = job.execute_in_process(
        run_config={"ops": {"maintain_tables": {"config": {"dry_run": True}}}}
    )

    assert observations(result)["flights"]["dfsession/files_removable"] == 1
    assert sorted(lake.rglob("*")) == before
    assert job.execute_in_process().success
    assert len(list((lake / "flights").glob("*.parquet"))) == 1


def test_the_table_of_events_is_maintained_if_the_policy_says_so(lake: Path) -> None:
    session = dfs.DataFusionSessionResource(
        preset="dev", profile={"diagnostics": {"sinks": ["delta"]}}
    )
    io = dfs.DataFusionDeltaIOManager(session=session, root_uri=str(lake))
    for _ in range(3):
        dg.materialize([flights], resources={"dfsession": session, "io_manager": io})
    events = lake / "_dfsession" / "events"
    rows = DeltaTable(events).to_pyarrow_table().num_rows

    def upkeep(policy: dfs.MaintenancePolicy) -> list[str]:
        job = dfs.build_maintenance_job("upkeep", [], policy)
        done = job.execute_in_process(resources={"io_manager": io})
        (said,) = [e for e in done.all_events if e.is_successful_output]
        metadata: dict[str, Any] = dict(said.step_output_data.metadata)
        return [r.data["table"] for r in metadata["dfsession/maintenance"].records]

    assert upkeep(dfs.MaintenancePolicy(steps=("optimize",))) == []
    assert len(DeltaTable(events).file_uris()) == 3
    assert upkeep(
        dfs.MaintenancePolicy(steps=("optimize",), events=True, z_order_by=("x",))
    ) == ["dfsession/events"]
    assert len(DeltaTable(events).file_uris()) == 1
    assert DeltaTable(events).to_pyarrow_table().num_rows == rows


def test_a_lake_without_events_has_none_to_maintain(run: Any) -> None:
    policy = dfs.MaintenancePolicy(steps=("optimize",), events=True)

    result = run(flights, dfs.build_maintenance_asset("upkeep", ["flights"], policy))

    assert result.success


def test_an_io_manager_maintains_one_table(run: Any) -> None:
    found = {}

    @dg.asset(deps=[flights], required_resource_keys={"io_manager"})
    def after(context: dg.AssetExecutionContext) -> None:
        io_manager = context.resources.io_manager
        for result in io_manager.maintain("flights", REMOVING):
            found[result.step] = result

    run(flights)
    run(flights, after)

    assert found["vacuum"].metrics["files_removed"] == 1


def test_an_op_takes_its_place_in_a_job_of_others(run: Any, lake: Path) -> None:
    run(flights)
    op = dfs.build_maintenance_op(["flights"], REMOVING, name="tidy")

    @dg.job(resource_defs=resources(lake))
    def weekly() -> None:
        op()

    metadata = weekly.execute_in_process().all_events
    assert any(event.is_successful_output for event in metadata)


def test_a_single_key_is_not_taken_for_a_list_of_letters() -> None:
    with pytest.raises(SessionError, match=r"write a list of keys, \['flights'\]"):
        dfs.build_maintenance_asset("upkeep", "flights")


def test_another_io_manager_has_no_tables_to_maintain() -> None:
    job = dfs.build_maintenance_job(
        "nightly", ["flights"], resource_defs={"io_manager": dg.mem_io_manager}
    )

    with pytest.raises(SessionError, match="name its key as io_manager_key"):
        job.execute_in_process()


def test_a_table_that_is_not_there_is_named(run: Any) -> None:
    upkeep = dfs.build_maintenance_asset("upkeep", ["nowhere"])

    result = run(upkeep, raise_on_error=False)

    (failure,) = [e for e in result.all_events if e.is_step_failure]
    description = failure.step_failure_data.user_failure_data.description
    assert "nowhere: DeltaError" in description
    assert "there is no Delta table here" in description


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"retain_hours": -1}, "retain_hours"),
        ({"steps": ["compact"]}, "steps"),
        ({"replayable": "perhaps"}, "replayable"),
        ({"min_files": 0}, "min_files"),
    ],
)
def test_a_policy_says_which_field_is_wrong(fields: Any, message: str) -> None:
    with pytest.raises(dfs.ProfileError, match=f"MaintenancePolicy.{message}"):
        dfs.MaintenancePolicy(**fields)
