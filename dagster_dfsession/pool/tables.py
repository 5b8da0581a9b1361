"""The tables of a run: Delta tables by asset key, each at one version."""

import itertools
import threading
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from datafusion.catalog import Table
from deltalake import DeltaTable

from dagster_dfsession.delta.data_files import DataFiles
from dagster_dfsession.delta.history import data_version
from dagster_dfsession.delta.location import Lake, Location, open_table
from dagster_dfsession.delta.native import NativeScans
from dagster_dfsession.delta.protocol import check_protocol
from dagster_dfsession.delta.provider import provider_of
from dagster_dfsession.delta.stores import has_store
from dagster_dfsession.errors import DeltaError, LocationError
from dagster_dfsession.pool.pins import RunPins
from dagster_dfsession.profile.delta import DeltaProfile
from dagster_dfsession.session.catalog import TableName, asset_key, table_name
from dagster_dfsession.session.system import Row
from dagster_dfsession.telemetry.measures import CACHE_HITS, CACHE_MISSES, count

KEPT_OPEN = 64
"""Tables that stay open from one step of a run to the next."""


class OpenedTable:
    """A Delta table at the version that the whole run reads.

    Attributes:
        name: Its schema and table in SQL.
        key: The asset key.
        location: Where it is.
        delta: The table, loaded at the pinned version.
        files: Its data files at that version.
        scans: What makes the engine's own scans of it, for one session; None: none
            were asked for yet.
    """

    def __init__(
        self,
        name: TableName,
        key: tuple[str, ...],
        location: Location,
        delta: DeltaTable,
    ) -> None:
        """Describe an opened table."""
        self.name = name
        self.key = key
        self.location = location
        self.delta = delta
        self.table = Table(provider_of(delta, location))
        self.files = DataFiles(delta, location)
        self.scans: NativeScans | None = None
        self._content: dict[tuple[str, ...] | None, str] = {}

    def content(self, keys: tuple[str, ...] | None) -> str:
        """Return what its rows are called: equal only where they are equal.

        Args:
            keys: Of the partitions that are meant; None: all rows.

        Raises:
            DeltaError: The log cannot be read.
        """
        if keys not in self._content:
            wanted = None if keys is None else frozenset(keys)
            self._content[keys] = data_version(self.delta, self.location, wanted)
        return self._content[keys]

    @property
    def version(self) -> int:
        """The pinned version."""
        return self.delta.version()

    def why_not_native(self, uses: Callable[[str], bool]) -> str | None:
        """Return why the engine's own scan cannot read it; None: it can.

        Args:
            uses: Whether a query uses a partition column.
        """
        files = self.files
        if files.reader_feature is not None:
            return f"the table has the feature {files.reader_feature}"
        if not has_store(self.location):
            return "the engine has no store of its own for this address"
        if not files.are_below:
            return "data files lie outside the table"
        used = filter(uses, files.partition_columns)
        if any(map(files.has_doubtful_values, used)):
            return "NULL and the empty text are one in its partitions"
        return None


class _ClosedTable(NamedTuple):
    """A table that a run has read, and does not hold any more."""

    key: tuple[str, ...]
    location: Location
    version: int

    def again(self, name: TableName) -> OpenedTable:
        """Open it as it was.

        Raises:
            DeltaError: It is gone, or its version is.
        """
        delta = open_table(self.location, self.version)
        if delta is None:
            raise DeltaError(
                f"{self.location} is gone since the run has read its version "
                f"{self.version}; restore it, and run again"
            )
        return OpenedTable(name, self.key, self.location, delta)


class RunTables:
    """Opens a table when a query first names it, and pins its version for the run.

    A table that this run writes is read at the version it wrote from then on.
    """

    def __init__(
        self,
        default_schema: str,
        pins: RunPins | None = None,
        delta: DeltaProfile | None = None,
    ) -> None:
        """Start with no lake: nothing is found."""
        self.pins = pins or RunPins()
        self._delta = delta or DeltaProfile()
        self._default_schema = default_schema
        self._lakes: list[Lake] = []
        self._opened: dict[TableName, OpenedTable] = {}
        self._closed: dict[TableName, _ClosedTable] = {}
        self._known: set[TableName] = set()
        self._ask: Callable[[], Collection[Sequence[str]]] = tuple
        self._hits = self._misses = 0
        self._lock = threading.RLock()

    def add_lake(self, lake: Lake) -> None:
        """Look for tables here too; lakes are asked in the order they were added."""
        with self._lock:
            if all(lake.root != known.root for known in self._lakes):
                self._lakes.append(lake)

    @property
    def lakes(self) -> tuple[Lake, ...]:
        """The lakes, in the order in which they are asked."""
        return tuple(self._lakes)

    @property
    def first_lake(self) -> Lake | None:
        """The lake that is asked first; None: there is none."""
        return self._lakes[0] if self._lakes else None

    def add_known(self, keys: Collection[Sequence[str]]) -> None:
        """Name tables that may be there, for error messages."""
        with self._lock:
            self._known |= {self.name_of(key) for key in keys}

    def announce(self, ask: Callable[[], Collection[Sequence[str]]]) -> None:
        """Have the keys asked for that may be there, once somebody wants the names."""
        self._ask = ask

    def name_of(self, key: Sequence[str]) -> TableName:
        """Return the schema and table that an asset key is called in SQL."""
        return table_name(key, self._default_schema)

    def key_of(self, name: TableName) -> tuple[str, ...]:
        """Return the asset key that a schema and table stand for."""
        return asset_key(name, self._default_schema)

    def spelt(self, text: str) -> TableName:
        """Return the schema and table of a name as a plan spells it."""
        *_, schema, table = [self._default_schema, *text.split(".")]
        return (schema, table)

    def spelling(self, name: TableName) -> str:
        """Return a name as a query spells it."""
        schema, table = name
        return table if schema == self._default_schema else f"{schema}.{table}"

    def open(self, name: TableName) -> Table | None:
        """Return the table for the engine, or None."""
        opened = self.find(name)
        return None if opened is None else opened.table

    def find(self, name: TableName) -> OpenedTable | None:
        """Return the table, opening and pinning it at first use."""
        with self._lock:
            if name in self._opened:
                self._opened[name] = self._opened.pop(name)  # the last to be closed
                self._hits += 1
                count(CACHE_HITS, cache="tables")
            else:
                closed = self._closed.get(name)
                opened = closed.again(name) if closed else self._open_first(name)
                if opened is None:
                    return None
                self._opened[name] = opened
                self._closed.pop(name, None)
                self._misses += 1
                count(CACHE_MISSES, cache="tables")
            return self._opened[name]

    def close_unused(self) -> None:
        """Close all tables but those that were named last, as a step is over.

        A run of a thousand assets would hold a thousand tables otherwise. Whoever
        names one of them again reads the version that the run has read before.
        """
        with self._lock:
            names = [*self._opened]
            for name in names[: max(len(names) - KEPT_OPEN, 0)]:
                opened = self._opened.pop(name)
                self._closed[name] = _ClosedTable(
                    opened.key, opened.location, opened.version
                )

    def described(self) -> list[Row]:
        """Return the tables that were opened, as rows of `dfsession.tables`."""
        with self._lock:
            opened: dict[TableName, _ClosedTable | OpenedTable] = {
                **self._closed,
                **self._opened,
            }
        return [
            {
                "schema": schema,
                "name": name,
                "kind": "asset",
                "uri": each.location.uri,
                "version": each.version,
            }
            for (schema, name), each in opened.items()
        ]

    def cache_described(self) -> Row:
        """Return what is kept open, as a row of `dfsession.caches`."""
        return {
            "cache": "tables",
            "of": "the run",
            "entries": len(self._opened),
            "hits": self._hits,
            "misses": self._misses,
        }

    def add(self, opened: OpenedTable) -> None:
        """Have a name mean a table that was opened elsewhere, and no other."""
        with self._lock:
            self._closed.pop(opened.name, None)
            self._opened[opened.name] = opened

    def opened(self, name: TableName) -> OpenedTable | None:
        """Return the table if it was opened before."""
        with self._lock:
            return self.find(name) if name in self._closed else self._opened.get(name)

    def opened_names(self) -> set[TableName]:
        """Return the names of the tables that were opened; nothing is asked for."""
        with self._lock:
            return {*self._opened, *self._closed}

    def written(self, key: Sequence[str], location: Location, version: int) -> None:
        """Pin a table at the version that this run has just written."""
        with self._lock:
            for lake in self._lakes:
                if lake.table(key) == location:
                    self.pins.written(lake, location, version)
            for known in (self._opened, self._closed):
                known.pop(self.name_of(key), None)

    def names(self) -> set[TableName]:
        """Return the names that were opened or announced."""
        ask, self._ask = self._ask, tuple
        self.add_known(ask())
        return {*self._opened, *self._closed, *self._known}

    def _open_first(self, name: TableName) -> OpenedTable | None:
        keys = [self.key_of(name)]
        if name[0] == self._default_schema:
            # A prefix that is spelt like the default schema is still a prefix.
            keys.append(name)
        for key, lake in itertools.product(keys, self._lakes):
            try:
                location = lake.table(key)
            except LocationError:
                # No asset can have such a key: the query names something else.
                return None
            delta = self.pins.open(lake, location)
            if delta is not None:
                check_protocol(delta, location, self._delta, writing=False)
                return OpenedTable(name, key, location, delta)
        return None
