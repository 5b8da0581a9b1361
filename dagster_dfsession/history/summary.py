"""What became of a run, in one file beside the lake."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg
import msgspec

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import RecordError
from dagster_dfsession.history.runs import run_start
from dagster_dfsession.metadata.keys import (
    ELAPSED_MS,
    ROW_COUNT,
    SESSION_HASH,
    TABLE_VERSION,
)
from dagster_dfsession.profile.base import Frozen

SUMMARIES = "_dfsession/runs"


class AssetSummary(Frozen, frozen=True, kw_only=True):
    """What a run made of an asset.

    Attributes:
        partitions: Those that it made; empty: the asset has none.
        rows: Of the table, or of these partitions; None: not counted.
        version: Of the table; None: it is none of this package.
        session_hash: None: likewise.
    """

    asset: str
    partitions: tuple[str, ...] = ()
    rows: int | None = None
    version: int | None = None
    elapsed_ms: int | None = None
    session_hash: str | None = None


class FailedStep(Frozen, frozen=True):
    """A step that failed, and the class of its error: texts may hold secrets."""

    step: str
    error: str


class RunSummary(Frozen, frozen=True, kw_only=True):
    """What became of a run.

    Attributes:
        seconds: It took; None: it did not start.
        assets: Sorted.
        checks: How many passed.
        failed_checks: `asset: check` of the others, sorted.
    """

    run_id: str
    job: str
    status: str
    started: dt.datetime | None
    seconds: float | None
    assets: tuple[AssetSummary, ...]
    checks: int
    failed_checks: tuple[str, ...]
    failed_steps: tuple[FailedStep, ...]

    def __str__(self) -> str:
        took = "" if self.seconds is None else f" after {self.seconds:.1f} s"
        rows = sum(each.rows or 0 for each in self.assets)
        failed = [
            *(f"step {each.step} ({each.error})" for each in self.failed_steps),
            *(f"check {each}" for each in self.failed_checks),
        ]
        said = f"run {self.run_id[:8]} of {self.job}: {self.status}{took}"
        made = f"{len(self.assets)} assets, {rows:,} rows, {self.checks} checks passed"
        return f"{said}; {made}" + (f"; failed: {', '.join(failed)}" if failed else "")


def run_summary(instance: dg.DagsterInstance, run_id: str) -> RunSummary:
    """Return what became of a run, as its events tell.

    Raises:
        RecordError: There is no such run.
    """
    record = instance.get_run_record_by_id(run_id)
    if record is None:
        raise RecordError(f"there is no run {run_id!r} in this Dagster instance")
    events = instance.all_logs(
        run_id,
        of_type={
            dg.DagsterEventType.ASSET_MATERIALIZATION,
            dg.DagsterEventType.ASSET_CHECK_EVALUATION,
            dg.DagsterEventType.STEP_FAILURE,
        },
    )
    started, ended = record.start_time, record.end_time
    checks = {
        f"{each.asset_key.to_user_string()}: {each.check_name}": each.passed
        for event in events
        if (each := event.asset_check_evaluation) is not None
    }
    return RunSummary(
        run_id=run_id,
        job=record.dagster_run.job_name,
        status=record.dagster_run.status.value,
        started=run_start(instance, run_id),
        seconds=round(ended - started, 3) if started and ended else None,
        assets=tuple(_assets(events)),
        checks=sum(checks.values()),
        failed_checks=tuple(sorted(each for each in checks if not checks[each])),
        failed_steps=tuple(_failures(events)),
    )


def write_run_summary(
    instance: dg.DagsterInstance, run_id: str, lake: Lake
) -> RunSummary:
    """Write what became of a run to `_dfsession/runs` of a lake, if it is not there.

    Raises:
        RecordError: There is no such run.
        DeltaError: The storage refused.
    """
    summary = run_summary(instance, run_id)
    data = msgspec.json.format(msgspec.json.encode(summary))
    LakeFiles(lake.root).write_if_absent(f"{SUMMARIES}/{run_id}.json", data)
    return summary


def _assets(events: Iterable[dg.EventLogEntry]) -> Iterator[AssetSummary]:
    # A step that was tried again has told of its partition twice.
    newest: dict[str, dict[str | None, Mapping[str, Any]]] = {}
    for event in events:
        made = event.asset_materialization
        if made is not None:
            told = {key: each.value for key, each in made.metadata.items()}
            key = made.asset_key.to_user_string()
            newest.setdefault(key, {})[made.partition] = told
    for asset, by_partition in sorted(newest.items()):
        every = [*by_partition.values()]
        yield AssetSummary(
            asset=asset,
            partitions=tuple(sorted(filter(None, by_partition))),
            rows=sum(each[ROW_COUNT] for each in every)
            if all(ROW_COUNT in each for each in every)
            else None,
            # Of one commit of several partitions, each event tells the same.
            version=_most(every, TABLE_VERSION),
            elapsed_ms=_most(every, ELAPSED_MS),
            session_hash=every[-1].get(SESSION_HASH),
        )


def _most(every: Iterable[Mapping[str, Any]], key: str) -> int | None:
    return max((each[key] for each in every if key in each), default=None)


def _failures(events: Iterable[dg.EventLogEntry]) -> Iterator[FailedStep]:
    for event in events:
        found = event.dagster_event
        if found is not None and found.is_step_failure:
            error = found.step_failure_data.error
            # Dagster's own error says only that user code raised one.
            while error is not None and error.cause is not None:
                error = error.cause
            name = "" if error is None else error.cls_name or ""
            yield FailedStep(found.step_key or "", name)
