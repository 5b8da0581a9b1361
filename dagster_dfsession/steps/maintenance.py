"""Maintenance in a step of a run: each table tells what was done to it."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import dagster as dg

from dagster_dfsession.delta.events import maintain_events
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.maintained import MaintenanceResult
from dagster_dfsession.display import bounded, table_of
from dagster_dfsession.errors import DfSessionError
from dagster_dfsession.materialization.replayable import maintain_table
from dagster_dfsession.metadata.budget import Metadata, within_budget
from dagster_dfsession.metadata.keys import (
    BYTES_REMOVED,
    FILES_COMPACTED,
    FILES_KEPT,
    FILES_REMOVABLE,
    FILES_REMOVED,
    MAINTENANCE,
)
from dagster_dfsession.profile.maintenance import MaintenancePolicy

_EVENTS = dg.AssetKey(["dfsession", "events"])
"""What the table is called among those of assets; there is no such asset."""

_MEASURES = MappingProxyType(
    {
        "files_compacted": FILES_COMPACTED,
        "files_removable": FILES_REMOVABLE,
        "files_removed": FILES_REMOVED,
        "files_kept": FILES_KEPT,
        "bytes_removed": BYTES_REMOVED,
    }
)


def maintain_tables(
    context: dg.OpExecutionContext,
    lake: Lake,
    keys: Sequence[dg.AssetKey],
    policy: MaintenancePolicy,
) -> Metadata:
    """Maintain the tables of the keys, then that of events if the policy says so.

    Each key gets an observation with what was done to its table. A table that was
    refused something does not keep the others from their maintenance.

    Returns:
        The measures of all tables together.

    Raises:
        Failure: Tables were refused something; the others are done.
    """
    done: list[tuple[dg.AssetKey, MaintenanceResult]] = []
    refused: list[str] = []
    for key in keys:
        try:
            results = maintain_table(lake, key.path, policy)
        except DfSessionError as error:
            refused.append(f"{key.to_user_string()}: {type(error).__name__}: {error}")
            continue
        found = [(key, result) for result in results]
        context.log_event(
            dg.AssetObservation(asset_key=key, metadata=maintenance_metadata(found))
        )
        done += found
    try:
        done += [(_EVENTS, result) for result in maintain_events(lake, policy)]
    except DfSessionError as error:
        refused.append(f"dfsession.events: {type(error).__name__}: {error}")
    metadata = maintenance_metadata(done)
    if refused:
        raise dg.Failure(
            f"{len(refused)} of {len(keys) + policy.events} tables could not be "
            "maintained:\n" + "\n".join(refused),
            metadata=metadata,
        )
    return metadata


def maintenance_metadata(
    done: Sequence[tuple[dg.AssetKey, MaintenanceResult]],
) -> Metadata:
    """Return the measures of all steps together, and a table of the first steps."""
    rows: list[dict[str, Any]] = [
        {
            "table": bounded(key.to_user_string(), 60),
            "step": result.step,
            "version": result.version,
            "measures": bounded(
                ", ".join(f"{n} {name}" for name, n in result.metrics.items()), 120
            ),
            "note": bounded(result.note, 300),
        }
        for key, result in done
    ]
    found = {
        key: sum(result.metrics.get(name, 0) for _, result in done)
        for name, key in _MEASURES.items()
    }
    columns = ("table", "step", "version", "measures", "note")
    return within_budget({**found, MAINTENANCE: table_of(rows, columns)}, {})
