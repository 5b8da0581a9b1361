"""docs/examples/shared_lake.py: two teams, one lake, and its upkeep."""

import datetime as dt
from pathlib import Path
from types import ModuleType

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.docs.loading import loaded
from tests.s3.seaweed import ACCESS_KEY, SECRET_KEY, S3Server

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "shared_lake.py"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
LATE = dt.datetime(2026, 1, 1, 23, 30)


@pytest.fixture
def lake_root(s3: S3Server, root: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A lake in which the airport has a table; the environment opens it."""
    for name, value in {
        "DFSESSION_LAKE_ROOT": root,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3.endpoint,
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    theirs = pa.table({"origin": ["JFK"], "departure": [LATE]})
    write_deltalake(f"{root}/airport/flights", theirs, storage_options=s3.options)
    return root


def read(root: str, s3: S3Server) -> list[dict[str, object]]:
    table = DeltaTable(f"{root}/busy_days", storage_options=s3.options)
    found: list[dict[str, object]] = pa.table(
        pa.RecordBatchReader.from_stream(table.scan())
    ).to_pylist()
    return found


@pytest.mark.slow
def test_what_another_time_zone_would_make_otherwise_is_asked_for(
    lake_root: str,
    s3: S3Server,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def job(module: ModuleType) -> dg.JobDefinition:
        found: dg.JobDefinition = module.defs.resolve_implicit_global_asset_job_def()
        return found

    before = loaded(EXAMPLE)
    job(before).execute_in_process(instance=instance, run_config=QUIET)
    (row,) = read(lake_root, s3)
    assert row["day"] == dt.date(2026, 1, 1)
    upkeep = instance.get_latest_materialization_event(dg.AssetKey("upkeep"))
    assert upkeep is not None

    monkeypatch.setenv("AIRPORT_TIME_ZONE", "America/New_York")
    after = loaded(EXAMPLE)
    with dg.build_sensor_context(
        instance, resources={"io_manager": after.lake}, definitions=after.defs
    ) as context:
        (asked,) = after.drift.evaluate_tick(context).run_requests
    assert dg.AssetKey("busy_days") in asked.asset_selection

    job(after).execute_in_process(
        instance=instance, run_config=QUIET, asset_selection=asked.asset_selection
    )
    (row,) = read(lake_root, s3)
    assert row["day"] == dt.date(2026, 1, 2)
