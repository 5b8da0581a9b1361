"""Sensors that look after sessions and what they leave."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
import msgspec

from dagster_dfsession.errors import SessionError, UnsupportedTypeError
from dagster_dfsession.io_managers.delta import DataFusionDeltaIOManager
from dagster_dfsession.metadata.keys import DRIFT_TAG
from dagster_dfsession.plan.hashing import content_hash

if TYPE_CHECKING:
    from dagster_dfsession.history.drift import DriftReport, MaterializedDrift

DAY = dt.timedelta(days=1)
OVER = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)
_TAG_CHARS = 200


def build_janitor_sensor(
    name: str = "dfsession_janitor",
    *,
    orphans_of: Iterable[dg.AssetKey | str | Sequence[str]] = (),
    older_than: dt.timedelta = DAY,
    dry_run: bool = False,
    io_manager_key: str = "io_manager",
    minimum_interval_seconds: int = 3600,
    **options: Any,
) -> dg.SensorDefinition:
    """Return a sensor that removes what crashed runs left behind.

    Those are spill directories on the machine that the sensor runs on, and pins of
    table versions in the lake, of runs that Dagster says are over. Each tick says
    what it did, as the reason for which it starts no run.

    Args:
        name: Of the sensor.
        orphans_of: Assets whose tables are searched for data files that no version
            names; this lists the whole table.
        older_than: Whatever was written to more recently is left alone.
        dry_run: Only say what would be removed.
        io_manager_key: The resource that is the `DataFusionDeltaIOManager`.
        minimum_interval_seconds: Between two ticks.
        **options: For `dagster.sensor`: description, default_status, tags, ...

    Examples:
        >>> build_janitor_sensor(orphans_of=["flights"]).name
        'dfsession_janitor'
    """
    keys = [dg.AssetKey.from_coercible(key) for key in orphans_of]

    @dg.sensor(
        name=name,
        minimum_interval_seconds=minimum_interval_seconds,
        required_resource_keys={io_manager_key},
        **{"description": "Removes what crashed runs left behind.", **options},
    )
    def janitor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        # The engine is imported here: a code server has no use for it.
        from dagster_dfsession.janitor import clean_up, spill_directory  # noqa: PLC0415

        resource = _io_manager(context.resources, io_manager_key, "janitor")
        done = clean_up(
            context.instance,
            lakes=[resource.lake],
            spill_directory=spill_directory(resource.session.plan()),
            tables=[(resource.lake, key) for key in keys],
            older_than=older_than,
            dry_run=dry_run,
        )
        context.log.info("%s", done)
        return dg.SkipReason(str(done))

    return janitor


def build_session_drift_sensor(
    assets: Iterable[dg.AssetsDefinition | dg.AssetSpec],
    name: str = "dfsession_drift",
    *,
    io_manager_key: str = "io_manager",
    minimum_interval_seconds: int = 300,
    **options: Any,
) -> dg.SensorDefinition:
    """Return a sensor that asks for runs of what a changed session would change.

    Those are assets, and partitions of them, whose query calls a function that is
    another one now, or was made under a setting that can change its rows and has
    another value now. Anything else of a session may change without a run: batch
    sizes, memory, other functions. It asks once: a run that failed is not asked for
    again, unless the session changes again. What is downstream is the affair of
    automation conditions, by the data versions of what was made anew.

    Args:
        assets: Those to look after; views and checks among them are passed over.
        name: Of the sensor.
        io_manager_key: The resource that is the `DataFusionDeltaIOManager`.
        minimum_interval_seconds: Between two ticks.
        **options: For `dagster.sensor`: description, default_status, tags, ...

    Raises:
        UnsupportedTypeError: One of the assets is none that can be materialized.

    Examples:
        >>> from dagster_dfsession import sql_asset
        >>> busy = sql_asset(name="busy", sql="SELECT dest FROM flights")
        >>> build_session_drift_sensor([busy]).name
        'dfsession_drift'
    """
    given: list[Any] = [each for each in assets if not _is_passed_over(each)]
    for each in given:
        if not isinstance(each, dg.AssetsDefinition) or not each.is_executable:
            raise UnsupportedTypeError(
                f"build_session_drift_sensor was given {each!r}, a "
                f"{type(each).__name__}; give it assets that can be materialized: what "
                "@dg.asset and sql_asset return"
            )
    partitions = {
        spec.key: spec.partitions_def for each in given for spec in each.specs
    }

    @dg.sensor(
        name=name,
        minimum_interval_seconds=minimum_interval_seconds,
        required_resource_keys={io_manager_key},
        asset_selection=given,
        **{"description": "Asks for runs of what a session would change.", **options},
    )
    def drift(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        # The engine is imported here: a code server has no use for it.
        from dagster_dfsession.history.drift import drift_report  # noqa: PLC0415

        resource = _io_manager(context.resources, io_manager_key, "drift sensor")
        report = drift_report(
            context.instance,
            sorted(partitions.items()),
            resource.session.session(),
            [resource.lake],
        )
        asked = _asked(context.cursor, name)
        new = [each for each in report.drifted if each.key not in asked]
        said = _said(report, new)
        context.log.info("%s", said)
        requests = _requests(new, partitions)
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else dg.SkipReason(said),
            cursor=msgspec.json.encode([each.key for each in report.drifted]).decode(),
        )

    return drift


def _is_passed_over(asset: Any) -> bool:
    """Return whether an asset is a view, or the checks of a table."""
    if isinstance(asset, dg.AssetSpec):
        return asset.is_virtual
    return isinstance(asset, dg.AssetChecksDefinition)


def build_run_summary_sensors(
    name: str = "dfsession_run_summary",
    *,
    io_manager_key: str = "io_manager",
    **options: Any,
) -> list[dg.SensorDefinition]:
    """Return sensors that write a summary of each run once it is over.

    That is the file `_dfsession/runs/<run id>.json` in the lake: what the run made, in
    which session, how long it took, which checks and steps failed. Dagster has one
    sensor for each way to be over: success, failure and canceled.

    Args:
        name: Of the sensors, less `_success` and so on.
        io_manager_key: The resource that is the `DataFusionDeltaIOManager`.
        **options: For `dagster.RunStatusSensorDefinition`: default_status,
            monitored_jobs, ...

    Examples:
        >>> [each.name for each in build_run_summary_sensors("nightly")]
        ['nightly_success', 'nightly_failure', 'nightly_canceled']
    """

    # Dagster hands resources to a sensor that is called, and to one that ticks not.
    def write(context: dg.RunStatusSensorContext, **_: Any) -> None:
        # The engine is imported here: a code server has no use for it.
        from dagster_dfsession.history.summary import (  # noqa: PLC0415
            write_run_summary,
        )

        lake = _io_manager(context.resources, io_manager_key, "run summary").lake
        run_id = context.dagster_run.run_id
        context.log.info("%s", write_run_summary(context.instance, run_id, lake))

    return [
        dg.RunStatusSensorDefinition(
            name=f"{name}_{status.value.lower()}",
            run_status=status,
            run_status_sensor_fn=write,
            required_resource_keys={io_manager_key},
            **{"description": "Writes a summary of each run.", **options},
        )
        for status in OVER
    ]


def _io_manager(resources: Any, key: str, sensor: str) -> DataFusionDeltaIOManager:
    resource = getattr(resources, key)
    if not isinstance(resource, DataFusionDeltaIOManager):
        raise SessionError(
            f"the resource {key!r} is a {type(resource).__name__}; the {sensor} needs "
            "the DataFusionDeltaIOManager of the lake: name its key as io_manager_key"
        )
    return resource


def _asked(cursor: str | None, sensor: str) -> list[str]:
    """Return the drifts that runs were asked for before."""
    try:
        return msgspec.json.decode(cursor or "[]", type=list[str])
    except msgspec.DecodeError as error:
        raise SessionError(
            f"the cursor of {sensor} is {cursor!r}, which it did not write: {error}. "
            "Reset it on the sensor's page."
        ) from None


def _said(report: "DriftReport", new: Sequence["MaterializedDrift"]) -> str:
    before = len(report.drifted) - len(new)
    parts = [
        *(
            f"{each.made}: {', '.join(change.what for change in each.drift.deciding)}"
            for each in new
        ),
        *([f"{before} more were asked for before"] if before else []),
        *(f"{asset} is unknown: {why}" for asset, why in report.unknown.items()),
    ]
    head = (
        "Changed sessions would make other rows"
        if report.drifted
        else "The session of now would make the same rows"
    )
    return f"{head}. {'. '.join(parts)}".rstrip()


def _requests(
    drifted: Sequence["MaterializedDrift"],
    partitions: Mapping[dg.AssetKey, dg.PartitionsDefinition | None],
) -> list[dg.RunRequest]:
    """Return a run for each partition, and one for all assets without."""
    runs: dict[Any, list[MaterializedDrift]] = {}
    for each in drifted:
        # A run has the partitions of one definition.
        of = partitions[dg.AssetKey(each.made.asset)]
        runs.setdefault((of, each.made.partition), []).append(each)
    return [
        dg.RunRequest(
            run_key=content_hash("drifts", 1, [each.key for each in together]),
            asset_selection=[dg.AssetKey(each.made.asset) for each in together],
            partition_key=partition,
            tags={DRIFT_TAG: _what(together)[:_TAG_CHARS]},
        )
        for (_, partition), together in runs.items()
    ]


def _what(together: Sequence["MaterializedDrift"]) -> str:
    changes = (change.what for each in together for change in each.drift.deciding)
    return ", ".join(dict.fromkeys(changes))
