"""From an upstream table to what of it changed since the asset last read it."""

import itertools
from collections.abc import Mapping

import dagster as dg
from deltalake import DeltaTable

from dagster_dfsession.delta.cursor import (
    Position,
    committed_positions,
    parse_cursor,
)
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.history import LONGEST_WALK
from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.log import commits_backwards
from dagster_dfsession.delta.turns import turn_of, turns_taken
from dagster_dfsession.errors import DeltaError, PartitionError, SessionError
from dagster_dfsession.metadata.keys import CURSOR, FULL_REFRESH_TAG
from dagster_dfsession.pool.changed import ChangedTable
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.tables import OpenedTable
from dagster_dfsession.steps.current import current_step

CHANGES = "changes"


def changed_since_last_read(opened: OpenedTable, run: RunSession) -> ChangedTable:
    """Return the rows of a table that changed since the running asset last read it.

    How far it has read is in the commits of its own table; where these are gone from
    the log, in its materializations. An asset without a table has read nothing. A run
    with the tag `dfsession/full_refresh` reads everything again. Of runs that read at
    the same time, one commits what it makes of the changes.

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
    asset, source = step.asset_key, "/".join(opened.key)
    has_keys = step.has_partition_key or step.has_partition_key_range
    keys = sorted(map(str, step.partition_keys)) if has_keys else [""]
    places = [lake.table(asset.path) for lake in run.tables.lakes]
    own = {place: open_table(place) for place in places}
    names = [turn_of("/".join(asset.path), source, key) for key in keys]
    turns = {place.uri: turns_taken(own[place], place, names) for place in places}
    before = None if everything else _position(source, own, keys, step)
    try:
        return ChangedTable(opened, before, turns)
    except DeltaError as error:
        if before is None:
            raise
        raise DeltaError(
            f"{error} A run with the tag {FULL_REFRESH_TAG}=true reads it as a whole."
        ) from None


def _position(
    source: str,
    own: Mapping[Location, DeltaTable | None],
    keys: list[str],
    step: dg.OpExecutionContext,
) -> Position | None:
    asset = step.asset_key
    found: dict[str, Position] = {}
    for place, table in own.items():
        if table is None:
            continue
        commits = commits_backwards(LakeFiles(place), table.version())
        found |= committed_positions(
            itertools.islice(commits, LONGEST_WALK),
            "/".join(asset.path),
            source,
            keys=[key for key in keys if key],
            but_of_run=step.run_id,
        )
    if all(table is None for table in own.values()):
        return None
    positions = {
        key: found.get(key) or _materialized(step, asset, key, source) for key in keys
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
    return positions[keys[0]]


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
