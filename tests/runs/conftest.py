"""Runs of `location.py` in processes of their own, over a lake in a temporary place."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from deltalake import DeltaTable

ROOT = Path(__file__).parents[2]
UDFS = """
import pyarrow as pa
import pyarrow.compute as pc
from dagster_dfsession import scalar_udf

@scalar_udf(inputs=[pa.int64()], returns=pa.int64(), volatility="immutable")
def twice(n):
    return pc.multiply(n, FACTOR)
"""
LONGEST_S = 100


class Runs:
    """A lake, an instance and a module of functions that runs share.

    Attributes:
        home: Where all of it is.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "spill").mkdir(parents=True)
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        self.define_twice("2")

    def define_twice(self, factor: str) -> None:
        """Write the body of the user function."""
        (self.home / "runs_udfs.py").write_text(UDFS.replace("FACTOR", factor))

    def start(
        self, job: str, executor: str, **settings: str
    ) -> "subprocess.Popen[str]":
        """Start a job in a process of its own."""
        environment = os.environ | {
            "DAGSTER_HOME": str(self.home),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(self.home)]),
            "RUNS_HOME": str(self.home),
            "RUNS_EXECUTOR": executor,
            **settings,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "tests.runs.location", job],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, job: str, executor: str, **settings: str) -> list[str]:
        """Run a job to its end; return the lines that it printed last."""
        process = self.start(job, executor, **settings)
        out, errors = process.communicate(timeout=LONGEST_S)
        lines = [each for each in out.splitlines() if each.startswith(("RUN", "HELD"))]
        assert lines, errors
        return lines

    def materialized(self) -> Mapping[str, dg.AssetMaterialization]:
        """Return the latest materialization of each asset."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            keys = instance.get_asset_keys()
            events = {
                key.to_user_string(): instance.get_latest_materialization_event(key)
                for key in keys
            }
        return {
            key: event.asset_materialization
            for key, event in events.items()
            if event is not None and event.asset_materialization is not None
        }

    def rows(self, asset: str) -> dict[str, list[Any]]:
        """Return the table of an asset."""
        found = DeltaTable(self.home / "lake" / asset).to_pyarrow_table().to_pydict()
        return {name: sorted(values) for name, values in found.items()}

    def is_written(self, asset: str) -> bool:
        """Return whether an asset has a table."""
        return (self.home / "lake" / asset).exists()

    def spill_directories(self) -> list[str]:
        """Return the spill directories that there are."""
        return sorted(path.name for path in (self.home / "spill").iterdir())

    def wait_for(self, mark: str) -> None:
        """Wait until an asset has left its mark."""
        deadline = time.monotonic() + LONGEST_S
        while not (self.home / mark).exists():
            assert time.monotonic() < deadline, mark
            time.sleep(0.1)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")
