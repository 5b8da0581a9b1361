"""From an asset, a run and a partition to the materialization that was recorded."""

from typing import Any

import dagster as dg

from dagster_dfsession.errors import RecordError, listing
from dagster_dfsession.history.runs import run_start
from dagster_dfsession.metadata.keys import (
    DAGSTER_URI,
    DATA_VERSION_TAG,
    RECORD,
    ROW_COUNT,
    TABLE_VERSION,
)
from dagster_dfsession.replay.materialized import Materialized

_RECENT = 1_000
"""Materializations that are looked through for one of ours."""
_NAMED = 5


def find_materialized(
    instance: dg.DagsterInstance,
    asset: dg.AssetKey,
    *,
    run_id: str | None = None,
    partition: str | None = None,
) -> Materialized:
    """Return the newest recorded materialization of an asset.

    Args:
        instance: Whose event log is read.
        asset: The asset.
        run_id: Of this run alone; the beginning of an id will do. None: of any.
        partition: Of this partition alone. None: of any.

    Raises:
        RecordError: There is none, or the beginning means several runs.
    """
    wanted = dg.AssetRecordsFilter(
        asset_key=asset, asset_partitions=None if partition is None else [partition]
    )
    events = instance.fetch_materializations(wanted, limit=_RECENT).records
    found = [each for each in events if each.run_id.startswith(run_id or "")]
    of = asset.to_user_string() + ("" if partition is None else f" [{partition}]")
    by = "" if run_id is None else f" by run {run_id}"
    if not found:
        last = list(dict.fromkeys(each.run_id for each in events))[:_NAMED]
        known = f"; the last ones are of {', '.join(last)}" if last else ""
        raise RecordError(
            f"there is no materialization of {of}{by} in this Dagster instance{known}"
        )
    if len(runs := {event.run_id for event in found}) > 1 and run_id is not None:
        raise RecordError(f"{run_id} is the beginning of several runs: {listing(runs)}")
    recorded = filter(
        None, (_materialized(instance, each.event_log_entry) for each in found)
    )
    made = next(recorded, None)
    if made is None:
        raise RecordError(
            f"{of} was materialized{by}, but not by this package: its event has no "
            f"{RECORD!r}"
        )
    return made


def newest_materialized(
    instance: dg.DagsterInstance,
    asset: dg.AssetKey,
    partitions: dg.PartitionsDefinition[Any] | None,
) -> tuple[Materialized, ...]:
    """Return the newest recorded materialization of each partition of an asset.

    Partitions that are not defined any more are left out. Of an asset without
    partitions, there is one.

    Raises:
        RecordError: There is none.
    """
    if partitions is None:
        return (find_materialized(instance, asset),)
    defined = {*partitions.get_partition_keys(dynamic_partitions_store=instance)}
    newest = instance.get_latest_storage_id_by_partition(
        asset, dg.DagsterEventType.ASSET_MATERIALIZATION
    )
    ids = [storage_id for key, storage_id in sorted(newest.items()) if key in defined]
    found = [
        made
        for at in range(0, len(ids), _RECENT)
        for each in instance.fetch_materializations(
            dg.AssetRecordsFilter(asset, storage_ids=ids[at : at + _RECENT]),
            limit=_RECENT,
        ).records
        if (made := _materialized(instance, each.event_log_entry))
    ]
    if not found:
        raise RecordError(
            f"no partition of {asset.to_user_string()} was materialized by this "
            "package, as far as this Dagster instance knows"
        )
    return tuple(sorted(found, key=lambda each: each.partition or ""))


def materialized_by(
    instance: dg.DagsterInstance, run_id: str
) -> dict[tuple[str, ...], list[Materialized]]:
    """Return what a run has materialized and recorded, by asset.

    An asset has one for each partition of the run.

    Raises:
        RecordError: There is no such run, or it recorded nothing.
    """
    run = _full_id(instance, run_id)
    events = instance.all_logs(run, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    found = [made for each in events if (made := _materialized(instance, each))]
    if not found:
        raise RecordError(
            f"run {run} has recorded no materialization: it was none of this "
            "package, or it failed before it wrote"
        )
    by_asset: dict[tuple[str, ...], list[Materialized]] = {}
    for each in found:
        by_asset.setdefault(each.asset, []).append(each)
    return by_asset


def _full_id(instance: dg.DagsterInstance, run_id: str) -> str:
    if instance.get_run_by_id(run_id) is not None:
        return run_id
    near = sorted(
        each.run_id
        for each in instance.get_runs(limit=_RECENT)
        if each.run_id.startswith(run_id)
    )
    if len(near) != 1:
        raise RecordError(
            f"there is no run {run_id!r} in this Dagster instance"
            if not near
            else f"{run_id!r} is the beginning of several runs: {listing(near)}"
        )
    return near[0]


def _materialized(
    instance: dg.DagsterInstance, event: dg.EventLogEntry
) -> Materialized | None:
    made = event.asset_materialization
    if made is None or RECORD not in made.metadata:
        return None
    told: dict[str, Any] = {key: each.value for key, each in made.metadata.items()}
    return Materialized(
        asset=tuple(made.asset_key.path),
        run_id=event.run_id,
        partition=None if made.partition is None else str(made.partition),
        record=str(told[RECORD]),
        uri=str(told[DAGSTER_URI]),
        version=int(told[TABLE_VERSION]),
        rows=told.get(ROW_COUNT),
        data_version=(made.tags or {}).get(DATA_VERSION_TAG),
        run_start=run_start(instance, event.run_id),
    )
