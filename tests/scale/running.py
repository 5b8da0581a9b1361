"""Runs of `location.py`, and what they have made."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import numpy as np
import pyarrow as pa
from datafusion import SessionContext, col
from deltalake import DeltaTable

from tests.scale.location import BATCHES

LONGEST_S = 100
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
SUCCESS = dg.DagsterEventType.RUN_SUCCESS
VERSION = "dfsession/table_version"
PLACES = ("half-way", "committed")
"""Where a step can be held: before its rows are all there, and after their commit."""
HASHES = ("session_hash", "settings_hash", "udf_snapshot_hash", "plan_hash")


class Ran(NamedTuple):
    """A run, by what it left in the event log."""

    events: Sequence[dg.DagsterEvent]

    def failures(self) -> list[str]:
        """Return why it or its steps failed; empty: it succeeded."""
        said = [
            f"{event.message} {event.event_specific_data}"
            for event in self.events
            if event.is_step_failure or event.is_failure
        ]
        return said or ([] if self.of_type(SUCCESS) else ["it has not come to its end"])

    def of_type(self, event_type: dg.DagsterEventType) -> list[dg.DagsterEvent]:
        """Return the events of a type, in order."""
        return [each for each in self.events if each.event_type is event_type]

    def processes(self) -> set[int]:
        """Return the ids of the processes that began a step."""
        began = [
            *self.of_type(dg.DagsterEventType.STEP_START),
            *self.of_type(dg.DagsterEventType.STEP_RESTARTED),
        ]
        return {each.pid for each in began if each.pid is not None}

    def made(self) -> list[dg.AssetMaterialization]:
        """Return which tables were made, in order."""
        events = self.of_type(dg.DagsterEventType.ASSET_MATERIALIZATION)
        made = [event.step_materialization_data.materialization for event in events]
        return [each for each in made if VERSION in each.metadata]

    def identities(self) -> dict[tuple[str, str | None], dict[str, Any]]:
        """Return hashes and data version of what was made, by asset and partition."""
        return {
            (each.asset_key.to_user_string(), each.partition): identity(each)
            for each in self.made()
        }

    def versions(self) -> dict[str, object]:
        """Return which version of each table was made."""
        return {
            each.asset_key.to_user_string(): each.metadata[VERSION].value
            for each in self.made()
        }

    def answers(self) -> dict[str, pa.Table]:
        """Return the rows of each table at the version that was made, sorted."""
        return {each.asset_key.to_user_string(): written(each) for each in self.made()}

    def differences(self, other: "Ran") -> list[str]:
        """Return how the tables of two runs differ, and why a run failed.

        Hashes and rows have to be equal; the versions not, as each run writes its own.
        """
        mine, theirs = self.identities(), other.identities()
        rows, expected = self.answers(), other.answers()
        return [
            *self.failures(),
            *other.failures(),
            *(
                f"{key}: {mine.get(key)}, {theirs.get(key)}"
                for key in sorted(mine.keys() | theirs.keys(), key=repr)
                if mine.get(key) != theirs.get(key)
            ),
            *(
                f"rows of {name}"
                for name in sorted(rows.keys() | expected.keys())
                if not same_rows(rows.get(name), expected.get(name))
            ),
            *(
                f"version {version} of {name} is of both"
                for name, version in self.versions().items() & other.versions().items()
            ),
        ]


def identity(made: dg.AssetMaterialization) -> dict[str, Any]:
    """Return what has to be equal wherever an asset was made."""
    found = {key: made.metadata.get(f"dfsession/{key}") for key in HASHES}
    return {
        **{key: value.value for key, value in found.items() if value is not None},
        "data_version": (made.tags or {})["dagster/data_version"],
    }


def written(made: dg.AssetMaterialization) -> pa.Table:
    """Return a table's rows as this materialization left them, sorted."""
    uri, version = made.metadata["uri"].value, made.metadata[VERSION].value
    scan = DeltaTable(str(uri), int(str(version))).scan()
    rows = SessionContext().from_arrow(pa.RecordBatchReader.from_stream(scan))
    return rows.sort(*map(col, rows.schema().names)).to_arrow_table()


def same_rows(one: pa.Table | None, other: pa.Table | None) -> bool:
    """Return whether two sorted tables are equal but for the last digits of floats.

    Those depend on which partial sum was there first, in one process too.
    """
    if one is None or other is None or one.schema != other.schema:
        return False
    return one.num_rows == other.num_rows and all(
        np.allclose(mine, theirs, rtol=1e-12, atol=0, equal_nan=True)
        if pa.types.is_floating(mine.type)
        else mine.equals(theirs)
        for mine, theirs in zip(one.columns, other.columns, strict=True)
    )


class Runs(NamedTuple):
    """A lake and an instance, and where the jobs' files are."""

    instance: dg.DagsterInstance
    root: str
    home: Path

    def run(
        self,
        graph: str,
        executor: str,
        config: Mapping[str, Any] | None = None,
        *,
        name: str = "everything",
        tags: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run a job to its end, and return what happened.

        Args:
            graph: Which assets.
            executor: Who runs their steps.
            config: Of the executor.
            name: Of the job.
            tags: Of the run: its partition.
        """
        arguments: tuple[Any, ...] = (graph, executor, self.root, str(self.home), name)
        job = dg.build_reconstructable_job("tests.scale.location", "job", arguments)
        execution = {"execution": {"config": dict(config)}} if config else {}
        with dg.execute_job(
            job, self.instance, run_config=QUIET | execution, tags=dict(tags or {})
        ) as result:
            return self.ran(result.run_id)

    def ran(self, run_id: str) -> Ran:
        """Return what happened in a run."""
        logged = self.instance.all_logs(run_id)
        return Ran([each.dagster_event for each in logged if each.dagster_event])

    def days(
        self,
        days: Sequence[str],
        executor: str,
        config: Mapping[str, Any] | None = None,
        *,
        own_names: bool = False,
    ) -> list[Ran]:
        """Run a partition in each of so many runs at once.

        Args:
            days: The partitions.
            executor: Who runs their steps.
            config: Of the executor.
            own_names: Whether each run is one of a job with a name of its own.
        """

        def one(day: str) -> Ran:
            name = f"everything_{day}" if own_names else "everything"
            tags = {"dagster/partition": day}
            return self.run("daily", executor, config, name=name, tags=tags)

        with ThreadPoolExecutor(len(days)) as threads:
            return list(threads.map(one, days))

    def day_while_its_worker_is_killed(
        self,
        day: str,
        executor: str,
        config: Mapping[str, Any] | None = None,
        *,
        place: str,
    ) -> tuple[Ran, int]:
        """Run a partition, and kill the process of its step, once.

        Args:
            day: The partition.
            executor: Who runs the step.
            config: Of the executor.
            place: How far the step has come: one of `PLACES`.

        Returns:
            The run, and the id of the process that was killed.
        """
        (self.home / f"hold_{place}").touch()
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(self.days, [day], executor, config)
            killed = self._held_process()
            os.kill(killed, signal.SIGKILL)
            (ran,) = running.result()
        return ran, killed

    def _held_process(self) -> int:
        held, deadline = self.home / "held", time.monotonic() + LONGEST_S
        while not held.exists():
            assert time.monotonic() < deadline, "no step has got so far"
            time.sleep(0.05)
        return int(held.read_text())

    def rows(self) -> list[tuple[str, int]]:
        """Return all rows of the partitioned table, sorted."""
        table = DeltaTable(f"{self.root}/measured")
        found = pa.table(pa.RecordBatchReader.from_stream(table.scan()))
        return sorted((row["day"], row["n"]) for row in found.to_pylist())

    def versions(self) -> int:
        """Return how many commits the partitioned table has, its creation left out."""
        return DeltaTable(f"{self.root}/measured").version()


def rows_of(days: Sequence[str]) -> list[tuple[str, int]]:
    """Return the rows that these partitions have, each once."""
    return [(day, n) for day in days for n in range(BATCHES)]
