"""Which version of each table a run reads: one and the same in all its processes."""

import hashlib
from collections.abc import Callable

import pyarrow as pa
import tenacity
from deltalake import CommitProperties, DeltaTable, Transaction

from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import OWN_PREFIX, Lake, Location, open_table
from dagster_dfsession.errors import CommitError, DeltaError

PINS = f"{OWN_PREFIX}/pins"
"""Directory below a lake's root: one below it for each run, and in that for a table."""

_PINNED = "dfsession.pin"
_COLUMNS = pa.schema([("version", pa.int64())])
_TRIES = 8


class RunPins:
    """The versions that a run reads.

    A table is pinned when the run first opens it, and again when the run writes it.
    Pins that are shared are kept beside the lake. Each of them is a Delta table
    without rows whose transaction id is the version: making a table is the one thing
    that, on every store, only one of several processes succeeds in.
    """

    def __init__(self, run_id: str = "adhoc", *, shared: bool = False) -> None:
        """Start without pins.

        Args:
            run_id: Whose pins these are; processes of one run give the same.
            shared: Whether other processes of the run are to see them.
        """
        self.shared = shared
        self._run_id = run_id
        self._written: dict[str, int] = {}

    def open(self, lake: Lake, location: Location) -> DeltaTable | None:
        """Open a table at the run's version of it, pinning the newest if there is none.

        Returns:
            The table, or None where there is none.

        Raises:
            DeltaError: It cannot be opened, or no longer has the pinned version.
        """
        place = self._place(lake, location)
        pinned = _read(place) if self.shared else self._written.get(location.uri)
        table = open_table(location, pinned)
        if table is None or pinned is not None or not self.shared:
            return table
        _, first = _made(place, location, table.version())
        return table if first == table.version() else open_table(location, first)

    def written(self, lake: Lake, location: Location, version: int) -> None:
        """Have the run read a table as it has just written it.

        Raises:
            DeltaError: The storage refused to keep the pin.
        """
        self._written[location.uri] = version
        if self.shared:
            _pin_written(self._place(lake, location), location, version)

    def _place(self, lake: Lake, location: Location) -> Location:
        digest = hashlib.sha256(location.uri.encode()).hexdigest()[:32]
        root = lake.root.uri.rstrip("/")
        return Location(
            f"{root}/{PINS}/{self._run_id}/{digest}", lake.root.storage_options
        )


def stale_pins(files: LakeFiles, is_over: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the runs whose pins nobody needs any more, sorted.

    Args:
        files: The files of a lake.
        is_over: Whether the run of an id has ended.

    Raises:
        DeltaError: The storage refused.
    """
    depth = PINS.count("/") + 1
    runs = {path.split("/")[depth] for path in _commits(files, PINS)}
    return tuple(sorted(run for run in runs if is_over(run)))


def remove_pins(files: LakeFiles, run_id: str) -> int:
    """Remove the pins of a run that is over; return how many files they were.

    Raises:
        DeltaError: The storage refused.
    """
    paths = _commits(files, f"{PINS}/{run_id}")
    for path in paths:
        files.remove(path)
    return len(paths)


def _commits(files: LakeFiles, prefix: str) -> list[str]:
    # Some object stores list a directory that was emptied as a file.
    return [path for path in files.list(prefix) if path.endswith(".json")]


def _read(place: Location) -> int | None:
    pin = open_table(place)
    return None if pin is None else _version(pin, place)


def _version(pin: DeltaTable, place: Location) -> int | None:
    with delta_errors(place.uri, place.secrets):
        return pin.transaction_version(_PINNED)


def _made(place: Location, location: Location, version: int) -> tuple[DeltaTable, int]:
    """Pin a version, unless another process was first; return the pin there is."""
    refused: DeltaError | None = None
    try:
        with delta_errors(place.uri, place.secrets):
            DeltaTable.create(
                place.uri,
                _COLUMNS,
                mode="ignore",
                description=location.uri,
                storage_options=place.options,
                commit_properties=_pinning(version),
            )
    except DeltaError as error:
        refused = error
    pin = open_table(place)
    pinned = None if pin is None else _version(pin, place)
    if pin is None or pinned is None:
        raise refused or DeltaError(f"{place}: the pin is gone right after it was kept")
    return pin, pinned


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(CommitError),
    stop=tenacity.stop_after_attempt(_TRIES),
    wait=tenacity.wait_random_exponential(multiplier=0.05, max=1),
    reraise=True,
)
def _pin_written(place: Location, location: Location, version: int) -> None:
    pin, pinned = _made(place, location, version)
    if pinned < version:
        with delta_errors(place.uri, place.secrets):
            pin.create_write_transaction(
                [], "append", _COLUMNS, commit_properties=_pinning(version)
            )


def _pinning(version: int) -> CommitProperties:
    return CommitProperties(
        # Tried again, a pin that came second would take the place of the first.
        max_commit_retries=0,
        app_transactions=[Transaction(_PINNED, version)],
    )
