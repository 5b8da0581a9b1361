"""Bringing a table back: to an older version, or to the files that are there."""

from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.history import data_version
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.log import DATA_VERSION
from dagster_dfsession.delta.maintained import (
    MaintenanceResult,
    committed_at_once,
    existing_table,
)


def restore(location: Location, version: int) -> MaintenanceResult:
    """Make a new version with the rows and columns of an older one.

    The table then has the data version that it had at `version`.

    Args:
        location: The table.
        version: What to go back to; vacuum may have removed its files.

    Raises:
        CommitError: Another run wrote meanwhile; the table is as that run left it.
        DeltaError: There is no table, no such version, or not all of its files.
    """
    stated = data_version(existing_table(location, version), location)
    table = existing_table(location)
    with delta_errors(location.uri, location.secrets):
        found = table.restore(
            version, commit_properties=committed_at_once({DATA_VERSION: stated})
        )
    return MaintenanceResult(
        step="restore",
        version=table.version(),
        metrics={
            "files_restored": found["numRestoredFile"],
            "files_dropped": found["numRemovedFile"],
        },
    )


def repair(location: Location, *, dry_run: bool = True) -> MaintenanceResult:
    """Take files out of the table that are no longer in its directory.

    Their rows are lost already; without them the others can be read again. Where the
    storage has versions of its own, bring the files back from there instead.

    Args:
        location: The table.
        dry_run: Only say which files are missing.

    Raises:
        CommitError: Another run wrote meanwhile.
        DeltaError: There is no table, or the storage refused.
    """
    table = existing_table(location)
    with delta_errors(location.uri, location.secrets):
        missing: list[str] = table.repair(dry_run=True)["files_removed"]
        if missing and not dry_run:
            table.repair(commit_properties=committed_at_once())
    return MaintenanceResult(
        step="repair",
        version=table.version(),
        metrics={
            "files_missing": len(missing),
            "files_dropped": 0 if dry_run else len(missing),
        },
        files=tuple(sorted(missing)),
    )
