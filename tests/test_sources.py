import datetime as dt
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

import dagster_dfsession as dfs


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "external")


@pytest.fixture
def observe(
    instance: dg.DagsterInstance, uri: str
) -> Callable[[], dg.AssetObservation]:
    """Observe the external table; return what was said of it."""
    source = dfs.observable_delta_source(["raw", "external"], uri)
    defs = dg.Definitions([source])

    def observed() -> dg.AssetObservation:
        job = defs.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(instance=instance)
        (event,) = result.get_asset_observation_events()
        return event.asset_observation_data.asset_observation

    return observed


def test_an_observation_tells_version_age_and_measures(observe: Any, uri: str) -> None:
    started = dt.datetime.now(dt.timezone.utc).timestamp()
    write_deltalake(uri, pa.table({"x": [1, 2, 3]}))

    metadata = {key: value.value for key, value in observe().metadata.items()}

    assert metadata["dfsession/table_version"] == 0
    assert metadata["dagster/row_count"] == 3
    assert metadata["dagster/size_bytes"] > 0
    assert metadata["dagster/uri"] == metadata["uri"] == uri
    assert [c.name for c in metadata["dagster/column_schema"].columns] == ["x"]
    assert metadata["dagster/last_updated_timestamp"] >= int(started)


def test_the_data_version_changes_with_the_rows_only(observe: Any, uri: str) -> None:
    def version() -> str:
        found: str = observe().data_version
        return found

    write_deltalake(uri, pa.table({"x": [1]}))
    write_deltalake(uri, pa.table({"x": [2]}), mode="append")
    second = version()
    table = DeltaTable(uri)
    assert second == f"delta:{str(table.metadata().id)[:8]}:1"

    table.optimize.compact()
    assert version() == second

    write_deltalake(uri, pa.table({"x": [3]}), mode="append")
    assert version() == f"delta:{str(table.metadata().id)[:8]}:3"


def aged(uri: str, hours: int) -> None:
    """Make the first commit older."""
    log = Path(uri, "_delta_log", f"{0:020}.json")
    told = re.search(r'"timestamp":(\d+)', log.read_text())
    assert told
    then = str(int(told[1]) - hours * 3_600_000)
    log.write_text(log.read_text().replace(told[1], then))


@pytest.mark.filterwarnings("ignore:Function `build_last_update_freshness_checks`")
@pytest.mark.parametrize(("hours", "fresh"), [(0, True), (2, False)])
def test_freshness_is_judged_by_the_time_of_the_rows(
    observe: Any, instance: dg.DagsterInstance, uri: str, hours: int, *, fresh: bool
) -> None:
    write_deltalake(uri, pa.table({"x": [1]}))
    aged(uri, hours)
    source = dfs.observable_delta_source(["raw", "external"], uri)
    checks = dg.build_last_update_freshness_checks(
        assets=[source], lower_bound_delta=dt.timedelta(hours=1)
    )
    defs = dg.Definitions([source], asset_checks=checks)
    observe()

    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance
    )

    (checked,) = result.get_asset_check_evaluations()
    assert checked.passed is fresh


def test_a_source_may_have_a_freshness_policy(uri: str) -> None:
    policy = dg.FreshnessPolicy.time_window(fail_window=dt.timedelta(hours=1))

    source = dfs.observable_delta_source("external", uri, freshness_policy=policy)

    (spec,) = source.specs
    assert spec.freshness_policy == policy


def test_a_table_that_is_not_there_is_an_error_that_says_where(
    observe: Any, uri: str
) -> None:
    with pytest.raises(dfs.DeltaError, match="there is no Delta table here") as absent:
        observe()
    assert uri in str(absent.value)


def test_an_address_may_come_from_the_environment(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_deltalake(uri, pa.table({"x": [1]}))
    source = dfs.observable_delta_source("external", dg.EnvVar("EXTERNAL"))
    job = dg.Definitions([source]).resolve_implicit_global_asset_job_def()

    with pytest.raises(dfs.SessionError, match="EXTERNAL, which is not set here"):
        job.execute_in_process()
    monkeypatch.setenv("EXTERNAL", uri)
    assert job.execute_in_process().success
