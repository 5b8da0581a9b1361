"""What maintenance did to a table."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from deltalake import CommitProperties, DeltaTable

from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.errors import DeltaError


class MaintenanceResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one step of maintenance did.

    Attributes:
        step: `optimize`, `vacuum`, `orphans`, `checkpoint`, `clean_log`, `restore`
            or `repair`.
        version: The table's version after it.
        metrics: How many files, how many bytes; `removable` was found, `removed` is
            gone.
        files: Those that were found, below the table.
        note: Why nothing, or not everything, was done; empty if all was.
    """

    step: str
    version: int
    metrics: Mapping[str, int]
    files: tuple[str, ...] = ()
    note: str = ""


def existing_table(location: Location, version: int | None = None) -> DeltaTable:
    """Open a table that must be there.

    Raises:
        DeltaError: It is not, or it cannot be opened.
    """
    table = open_table(location, version)
    if table is None:
        raise DeltaError(
            f"{location}: there is no Delta table here, no _delta_log with a commit. "
            "Check the address, or materialize the asset first."
        )
    return table


def committed_at_once(
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> CommitProperties:
    """Return properties of a commit that is refused if another one came before it.

    Tried again above a compaction, deltalake would leave rows in the table twice.
    """
    return CommitProperties(dict(metadata), max_commit_retries=0)
