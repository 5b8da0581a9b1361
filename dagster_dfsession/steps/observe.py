"""Observing a Delta table that somebody else writes."""

from collections.abc import Mapping

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from dagster_dfsession.delta.arrow_types import table_schema
from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.history import data_version
from dagster_dfsession.delta.location import Lake, Location
from dagster_dfsession.delta.log import commits_backwards
from dagster_dfsession.delta.maintained import existing_table
from dagster_dfsession.display import arrow_table_schema
from dagster_dfsession.metadata.budget import Metadata
from dagster_dfsession.metadata.keys import (
    COLUMN_SCHEMA,
    DAGSTER_URI,
    LAST_UPDATED,
    ROW_COUNT,
    SIZE_BYTES,
    TABLE_VERSION,
    URI,
)


def observe_table(
    key: dg.AssetKey, uri: str, storage_options: Mapping[str, str]
) -> dg.ObserveResult:
    """Return what a table is now: its data version, its measures, its age.

    Raises:
        LocationError: The address names no place for a table.
        DeltaError: There is no table, or it cannot be opened.
    """
    location = Lake(uri, storage_options).root
    table = existing_table(location)
    return dg.ObserveResult(
        asset_key=key,
        data_version=dg.DataVersion(data_version(table, location)),
        metadata=_metadata(table, location),
    )


def _metadata(table: DeltaTable, location: Location) -> Metadata:
    with delta_errors(location.uri, location.secrets):
        live = pa.table(table.get_add_actions())
    rows = live.column("num_records")
    entries: Metadata = {
        TABLE_VERSION: table.version(),
        SIZE_BYTES: pc.sum(live.column("size_bytes")).as_py() or 0,
        COLUMN_SCHEMA: arrow_table_schema(table_schema(table)),
        DAGSTER_URI: location.uri,
        URI: location.uri,
    }
    if not rows.null_count:
        entries[ROW_COUNT] = pc.sum(rows).as_py() or 0
    changes = (
        commit.time
        for commit in commits_backwards(LakeFiles(location), table.version())
        if commit.changes_data
    )
    if time := next(changes, None):
        entries[LAST_UPDATED] = dg.MetadataValue.timestamp(time)
    return entries
