"""From an upstream table to what of it changed since the asset last read it."""

import itertools

import dagster as dg

from dagster_dfsession.delta.cursor import (
    Position,
    committed_positions,
    parse_cursor,
)
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.history import LONGEST_WALK
from dagster_dfsession.delta.location import open_table
from dagster_dfsession.delta.log import commits_backwards
from dagster_dfsession.errors import DeltaError, PartitionError, SessionError
from dagster_dfsession.metadata import CURSOR, FULL_REFRESH_TAG
from dagster_dfsession.pool.changed import ChangedTable
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.tables import OpenedTable
from dagster_dfsession.steps.current import current_step

CHANGES = "changes"


def changed_since_last_read(opened: OpenedTable, run: RunSession) -> ChangedTable:
    """Return the rows of a table that changed since the running asset last read it.

    How far it has read is in the commits of its own table; where these are gone from
    the log, in its materializations. An asset without a table has read nothing. A run
    with the tag `dfsession/full_refresh` reads everything again.

    Raises:
        SessionError: It is not one asset that is running.
        PartitionError: Partitions of one step have read up to different versions.
        DeltaError: What changed is not known.
    """
    step = current_step()
    if step is None or not step.has_assets_def or len(step.selected_asset_keys) != 1:
        raise SessionError(
            f"changes of {'/'.join(opened.key)!r} can only be read by a step that "
            "makes one asset, which keeps how far it has read; read the table as a "
            "whole, or divide the step"
        )
    everything = step.run.tags.get(FULL_REFRESH_TAG) == "true"
    before = None if everything else _position(opened, run, step)
    try:
        return ChangedTable(opened, before)
    except DeltaError as error:
        if before is None:
            raise
        raise DeltaError(
            f"{error} A run with the tag {FULL_REFRESH_TAG}=true reads it as a whole."
        ) from None


def _position(
    opened: OpenedTable, run: RunSession, step: dg.OpExecutionContext
) -> Position | None:
    has_keys = step.has_partition_key or step.has_partition_key_range
    keys = sorted(map(str, step.partition_keys)) if has_keys else []
    asset, source = step.asset_key, "/".join(opened.key)
    found: dict[str, Position] = {}
    has_table = False
    for lake in run.tables.lakes:
        place = lake.table(asset.path)
        table = open_table(place)
        if table is None:
            continue
        has_table = True
        commits = commits_backwards(LakeFiles(place), table.version())
        found |= committed_positions(
            itertools.islice(commits, LONGEST_WALK),
            "/".join(asset.path),
            source,
            keys=keys,
            but_of_run=step.run_id,
        )
    if not has_table:
        return None
    positions = {
        key: found.get(key) or _materialized(step, asset, key, source)
        for key in keys or [""]
    }
    if len(set(positions.values())) > 1:
        told = ", ".join(
            f"{key}: {'nothing' if each is None else each.version}"
            for key, each in sorted(positions.items())
        )
        raise PartitionError(
            f"the partitions of this step have read {source!r} up to different "
            f"versions ({told}), so their changes are not the same; launch them one by "
            "one"
        )
    return positions[keys[0] if keys else ""]


def _materialized(
    step: dg.OpExecutionContext, asset: dg.AssetKey, key: str, source: str
) -> Position | None:
    """Return what the latest materialization of another run says."""
    wanted = dg.AssetRecordsFilter(
        asset_key=asset, asset_partitions=[key] if key else None
    )
    for record in step.instance.fetch_materializations(wanted, limit=2).records:
        made = record.asset_materialization
        if (
            record.run_id != step.run_id
            and made is not None
            and CURSOR in made.metadata
        ):
            return parse_cursor(str(made.metadata[CURSOR].value)).get(source)
    return None
