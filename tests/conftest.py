"""Fixtures that many folders of tests share."""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dagster as dg
import hypothesis
import pyarrow as pa
import pytest
from deltalake import DeltaTable

import dagster_dfsession as dfs

# That a machine is busy says nothing of a strategy.
BUSY = (hypothesis.HealthCheck.too_slow,)
hypothesis.settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=BUSY,
)
hypothesis.settings.register_profile("dev", deadline=None, suppress_health_check=BUSY)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance of this test alone, with its storage in `tmp_path`."""
    home = tmp_path / "dagster_home"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        yield instance


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """The root of the lake of `run`."""
    return tmp_path / "lake"


@pytest.fixture
def run(lake: Path) -> Iterator[Callable[..., dg.ExecuteInProcessResult]]:
    """Materialize assets in one process; all runs of a test have one event log.

    The keywords `session` and `io` are fields of the two resources, `key` is a
    partition key, `keys` are the first and the last of a range in one run.
    """
    resources: dict[str, dict[str, Any]] = {}
    with dg.DagsterInstance.ephemeral() as instance:

        def materialize(
            *assets: Any,
            session: Mapping[str, Any] = MappingProxyType({}),
            io: Mapping[str, Any] = MappingProxyType({}),
            key: str | None = None,
            keys: tuple[str, str] | None = None,
            **options: Any,
        ) -> dg.ExecuteInProcessResult:
            asked = repr((session, io))
            if asked not in resources:  # Dagster takes a tenth of a second for two
                dfsession = dfs.DataFusionSessionResource(
                    **{"preset": "dev", **session}
                )
                io_manager = dfs.DataFusionDeltaIOManager(
                    session=dfsession, **{"root_uri": str(lake), **io}
                )
                resources[asked] = {"dfsession": dfsession, "io_manager": io_manager}
            if keys is not None:
                first, last = keys
                options["tags"] = {
                    "dagster/asset_partition_range_start": first,
                    "dagster/asset_partition_range_end": last,
                }
            with warnings.catch_warnings():
                # Dagster asks itself so, whenever one resource is part of another.
                warnings.filterwarnings("ignore", "InitResourceContext.dagster_run")
                return dg.materialize(
                    assets,
                    resources=resources[asked],
                    instance=options.pop("instance", instance),
                    run_config={
                        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}
                    },
                    partition_key=key,
                    **options,
                )

        yield materialize


@pytest.fixture
def rows(lake: Path) -> Callable[..., list[dict[str, Any]]]:
    """Read the table of an asset key: its rows, sorted."""

    def read(*key: str) -> list[dict[str, Any]]:
        table = DeltaTable(str(lake.joinpath(*key)))
        found = pa.table(pa.RecordBatchReader.from_stream(table.scan()))
        return sorted(found.select(sorted(found.column_names)).to_pylist(), key=str)

    return read
