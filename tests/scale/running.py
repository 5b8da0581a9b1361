"""Runs of `location.py`, and what they have made."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import pyarrow as pa
from deltalake import DeltaTable

from tests.scale.location import BATCHES

LONGEST_S = 100
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
SUCCESS = dg.DagsterEventType.RUN_SUCCESS
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

    def identities(self) -> dict[tuple[str, str | None], dict[str, Any]]:
        """Return hashes and data version of what was made, by asset and partition."""
        return {
            (
                made.asset_key.to_user_string(),
                made.partition,
            ): identity(made)
            for event in self.of_type(dg.DagsterEventType.ASSET_MATERIALIZATION)
            for made in [event.step_materialization_data.materialization]
        }


def identity(made: dg.AssetMaterialization) -> dict[str, Any]:
    """Return what has to be equal wherever an asset was made."""
    found = {key: made.metadata.get(f"dfsession/{key}") for key in HASHES}
    return {
        **{key: value.value for key, value in found.items() if value is not None},
        "data_version": (made.tags or {})["dagster/data_version"],
    }


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
            logged = self.instance.all_logs(result.run_id)
            events = [each.dagster_event for each in logged if each.dagster_event]
            return Ran(events)

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
        self, day: str, executor: str, config: Mapping[str, Any] | None = None
    ) -> tuple[Ran, int]:
        """Run a partition, and kill the process of its step half-way, once.

        Returns:
            The run, and the id of the process that was killed.
        """
        (self.home / "hold").touch()
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(self.days, [day], executor, config)
            killed = self._held_process()
            os.kill(killed, signal.SIGKILL)
            (ran,) = running.result()
        return ran, killed

    def _held_process(self) -> int:
        held, deadline = self.home / "held", time.monotonic() + LONGEST_S
        while not held.exists():
            assert time.monotonic() < deadline, "no step has got half-way"
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
