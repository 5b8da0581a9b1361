"""A materialization that was recorded, and where all that belongs to it is."""

import datetime as dt
from collections.abc import Sequence

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake, Location
from dagster_dfsession.errors import RecordError, listing
from dagster_dfsession.materialization.records import RecordStore, SessionRecord
from dagster_dfsession.profile.base import Frozen


class Materialized(Frozen, frozen=True, kw_only=True):
    """What the event of a materialization says, that its record does not.

    Attributes:
        asset: The asset key.
        partition: The partition key of the event; None: it has none.
        record: Path of the record below the lake's root.
        uri: Address of the table.
        version: Of the table, right after the run had written it.
        rows: Rows that the event counted; None: it did not.
        data_version: Of the rows; None: the event has none.
        run_start: When the run started; None: it has not, or is forgotten.
    """

    asset: tuple[str, ...]
    run_id: str
    partition: str | None = None
    record: str
    uri: str
    version: int
    rows: int | None = None
    data_version: str | None = None
    run_start: dt.datetime | None = None

    def __str__(self) -> str:
        key = "" if self.partition is None else f" [{self.partition}]"
        return f"{'/'.join(self.asset)}{key} of run {self.run_id[:8]}"


def read_record(made: Materialized, lakes: Sequence[Lake]) -> SessionRecord:
    """Read the record of a materialization.

    Raises:
        RecordError: It is not there, was changed, or the table is in none of the lakes.
    """
    return RecordStore(LakeFiles(_lake(made.uri, lakes).root)).get(made.record)


def location_of(uri: str, lakes: Sequence[Lake]) -> Location:
    """Return an address with the storage options of the lake that it is in.

    Raises:
        RecordError: It is in none of them, so nobody knows what opens it.
    """
    return Location(uri, _lake(uri, lakes).root.storage_options)


def _lake(uri: str, lakes: Sequence[Lake]) -> Lake:
    below = [lake for lake in lakes if uri.startswith(f"{lake.root.uri.rstrip('/')}/")]
    if not below:
        roots = listing(lake.root.uri for lake in lakes)
        raise RecordError(
            f"{uri} lies in none of the lakes that are known ({roots}), so its storage "
            "options are not: give the code location a resource with its root_uri"
        )
    return max(below, key=lambda lake: len(lake.root.uri))
