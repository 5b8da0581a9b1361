"""The janitor as a sensor: after runs that crashed, on a real Dagster instance."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pyarrow as pa
import pytest

import dagster_dfsession as dfs
from dagster_dfsession.pool.holders import (
    HolderFile,
    holders_directory,
    read_holders,
    this_process,
)
from dagster_dfsession.pool.scope import Scope

NOW = dt.timedelta(0)
Run = Callable[..., dg.ExecuteInProcessResult]


@dg.asset
def numbers() -> pa.Table:
    return pa.table({"n": [1, 2]})


@pytest.fixture
def spilled(tmp_path: Path) -> Path:
    path = tmp_path / "spill"
    path.mkdir()
    return path


@pytest.fixture
def tick(
    lake: Path,
    spilled: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., str]:
    """Let a janitor sensor have one tick; return what it says."""
    monkeypatch.setenv("DAGSTER_HOME", str(spilled))  # entries of sessions are there
    profile = {"runtime": {"spill": {"kind": "disk", "directory": str(spilled)}}}
    session = dfs.DataFusionSessionResource(preset="dev", profile=profile)
    io = dfs.DataFusionDeltaIOManager(session=session, root_uri=str(lake))

    def evaluate(**options: Any) -> str:
        sensor = dfs.build_janitor_sensor(older_than=NOW, **options)
        context = dg.build_sensor_context(instance, resources={"io_manager": io})
        with context:
            return str(sensor.evaluate_tick(context).skip_message)

    return evaluate


def left_by(run_id: str, spilled: Path) -> Path:
    path = spilled / f"dfsession_{run_id}_1_abcdefgh"
    path.mkdir()
    path.joinpath("batch").write_bytes(b"123")
    return path


def test_what_a_run_left_goes_once_the_run_is_over(
    tick: Callable[..., str], run: Run, instance: dg.DagsterInstance, spilled: Path
) -> None:
    done = run(numbers, instance=instance)
    started = instance.create_run_for_job(
        dg.define_asset_job("all_assets").resolve(
            asset_graph=dg.Definitions([numbers]).resolve_asset_graph()
        ),
        status=dg.DagsterRunStatus.STARTED,
    )
    over, busy = (left_by(each.run_id, spilled) for each in (done, started))

    assert tick(dry_run=True) == (
        "A dry run: would remove 1 spill directories (3 bytes)."
    )
    assert over.exists()
    assert tick() == "Removed 1 spill directories (3 bytes)."
    assert busy.exists()
    assert not over.exists()

    instance.report_run_canceled(started)

    assert tick() == "Removed 1 spill directories (3 bytes)."
    assert tick() == "Nothing was left behind."


def test_entries_of_sessions_of_killed_processes_go(tick: Callable[..., str]) -> None:
    began = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)
    here = this_process(Scope(run_id="r", step="s"), profile="p", plan="f", since=began)
    HolderFile(holders_directory(), here)
    # The number of the process is that of another one by now.
    gone = msgspec.structs.replace(here, scope=Scope(run_id="g"), started=1.0)
    HolderFile(holders_directory(), gone)

    assert tick(dry_run=True) == ("A dry run: would remove 1 entries of dead sessions.")
    assert tick() == "Removed 1 entries of dead sessions."
    assert read_holders() == (here,)


def test_orphan_files_of_named_assets_go(
    tick: Callable[..., str], run: Run, lake: Path
) -> None:
    run(numbers)
    orphan = lake / "numbers" / "part-00000-left.parquet"
    orphan.write_bytes(b"PAR1")

    assert tick() == "Nothing was left behind."
    assert tick(orphans_of=["numbers"]) == "Removed 1 orphan files of numbers."
    assert not orphan.exists()


def test_another_resource_is_named(
    tick: Callable[..., str], instance: dg.DagsterInstance
) -> None:
    del tick
    sensor = dfs.build_janitor_sensor(io_manager_key="other")
    context = dg.build_sensor_context(instance, resources={"other": 1})

    with context, pytest.raises(dfs.SessionError, match="'other' is a int"):
        sensor.evaluate_tick(context)
