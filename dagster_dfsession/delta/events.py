"""The table of what runs tell of their work, beside the tables of the lake."""

from collections.abc import Callable, Sequence

import msgspec
import pyarrow as pa
from datafusion.catalog import Table

from dagster_dfsession.delta.entries import ENTRY
from dagster_dfsession.delta.location import OWN_PREFIX, Lake, Location, open_table
from dagster_dfsession.delta.maintain import maintain
from dagster_dfsession.delta.maintained import MaintenanceResult
from dagster_dfsession.delta.provider import provider_of
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.errors import DeltaError
from dagster_dfsession.profile.maintenance import MaintenancePolicy
from dagster_dfsession.telemetry.sink import Entry

EVENTS = f"{OWN_PREFIX}/events"
COLUMNS = pa.schema([("day", pa.date32()), *ENTRY])


def events_location(lake: Lake) -> Location:
    """Return where the table is: no asset key leads there."""
    root = lake.root
    return Location(f"{root.uri.rstrip('/')}/{EVENTS}", root.storage_options)


def events_table(lake: Lake | None) -> Table | None:
    """Return the table for the engine; None: nothing was written yet.

    Raises:
        DeltaError: It is there and cannot be opened.
    """
    if lake is None:
        return None
    location = events_location(lake)
    table = open_table(location)
    return None if table is None else Table(provider_of(table, location))


def maintain_events(
    lake: Lake, policy: MaintenancePolicy
) -> tuple[MaintenanceResult, ...]:
    """Maintain the table as other tables; nothing is done where it is not there.

    Each process of a run writes a file of a few rows to it. No replay reads it.

    Raises:
        CommitError: Other runs wrote to the table again and again.
        DeltaError: A step was refused; those before it are done.
    """
    location = events_location(lake)
    if not policy.events or open_table(location) is None:
        return ()
    return maintain(location, msgspec.structs.replace(policy, z_order_by=()))


class EventsSink:
    """Writes entries to the table, in one commit when the run lets go.

    A process that is killed takes its entries with it.
    """

    def __init__(self, lake: Callable[[], Lake | None]) -> None:
        """Write to the lake that `lake` returns in the end."""
        self._lake = lake
        self._entries: list[Entry] = []

    def record(self, entries: Sequence[Entry]) -> None:
        """Keep the entries until the run is over."""
        self._entries.extend(entries)

    def close(self) -> None:
        """Write all entries.

        Raises:
            DeltaError: There is no lake, or it refused.
        """
        if not self._entries:
            return
        lake = self._lake()
        if lake is None:
            raise DeltaError(
                "there is no lake to write events to: give the session resource a "
                "root_uri, or use a DataFusionDeltaIOManager"
            )
        rows = [{"day": entry.at.date(), **entry.flat} for entry in self._entries]
        write_table(
            WriteRequest(
                location=events_location(lake), mode="append", partition_by=("day",)
            ),
            pa.Table.from_pylist(rows, schema=COLUMNS).to_reader(),
        )
