"""The schema `dfsession`: what a session tells of itself in SQL, as it is now."""

from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.dataset as ds
from datafusion.catalog import Table

from dagster_dfsession.delta.entries import ENTRY
from dagster_dfsession.errors import (
    TableNotFoundError,
    did_you_mean,
    listing,
    nearest,
)

SYSTEM_SCHEMA = "dfsession"

Row: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = Callable[[], Iterable[Row]]
"""Asked whenever a query names the table. It runs inside the engine's runtime, so it
must not ask the engine anything."""

_TEXT: pa.DataType = pa.string()
_TEXTS: pa.DataType = pa.list_(_TEXT)
_COUNT: pa.DataType = pa.int64()
_TIME: pa.DataType = pa.timestamp("us", tz="UTC")

COLUMNS: Mapping[str, pa.Schema] = MappingProxyType(
    {
        "session": pa.schema(
            [
                ("name", _TEXT),
                ("profile_hash", _TEXT),
                ("plan_fingerprint", _TEXT),
                ("memory_pool", _TEXT),
                ("memory_bytes", _COUNT),
            ]
        ),
        "settings": pa.schema(
            [
                ("key", _TEXT),
                ("value", _TEXT),
                ("planned", _TEXT),
                ("default", _TEXT),
                ("source", _TEXT),
            ]
        ),
        "functions": pa.schema(
            [
                ("name", _TEXT),
                ("kind", _TEXT),
                ("signature", _TEXT),
                ("returns", _TEXT),
                ("volatility", _TEXT),
                ("digest", _TEXT),
                ("origin", _TEXT),
            ]
        ),
        "tables": pa.schema(
            [
                ("schema", _TEXT),
                ("name", _TEXT),
                ("kind", _TEXT),
                ("uri", _TEXT),
                ("version", _COUNT),
            ]
        ),
        "leases": pa.schema(
            [
                ("prefix", _TEXT),
                ("run_id", _TEXT),
                ("step", _TEXT),
                ("attempt", _COUNT),
                ("since", _TIME),
                ("names", _TEXTS),
            ]
        ),
        "sessions": pa.schema(
            [
                ("run_id", _TEXT),
                ("step", _TEXT),
                ("attempt", _COUNT),
                ("profile", _TEXT),
                ("plan", _TEXT),
                ("since", _TIME),
                ("names", _TEXTS),
                ("host", _TEXT),
                ("pid", _COUNT),
                ("state", _TEXT),
            ]
        ),
        "metrics": pa.schema(
            [
                ("name", _TEXT),
                ("value", _COUNT),
                ("kind", _TEXT),
                ("unit", _TEXT),
                ("description", _TEXT),
            ]
        ),
        "artifacts": ENTRY,
        "caches": pa.schema(
            [
                ("cache", _TEXT),
                ("of", _TEXT),
                ("limit", _TEXT),
                ("entries", _COUNT),
                ("hits", _COUNT),
                ("misses", _COUNT),
            ]
        ),
    }
)
"""Table -> its columns."""


def system_table_not_found(table: str, known: Collection[str]) -> TableNotFoundError:
    """Return the error for a name of the schema that is no table.

    Args:
        table: As `dfsession.setings`.
        known: The tables that the session has, spelt likewise.
    """
    others = set(known) - {table}
    error = TableNotFoundError(
        f"table {table!r} was not found; a session tells of itself in "
        f"{listing(others)}.{did_you_mean(table, known)} dfsession.events is there "
        "once a run wrote to it whose diagnostics.sinks have delta."
        if others
        else f"table {table!r} was not found: the profile says "
        "diagnostics.system_tables: false, so the session tells nothing of itself."
    )
    error.table = table
    error.suggestion = None if table in known else nearest(table, others)
    return error


class SystemTables:
    """Tables that are made whenever a query names them; nobody can write to them."""

    def __init__(self) -> None:
        """Start with none."""
        self._rows: dict[str, list[Rows]] = {}
        self._openers: dict[str, Callable[[], Table | None]] = {}

    def add_rows(self, name: str, rows: Rows) -> None:
        """Let a table of `COLUMNS` have these rows too."""
        self._rows.setdefault(name, []).append(rows)

    def add_table(self, name: str, opener: Callable[[], Table | None]) -> None:
        """Let a name mean what `opener` returns; None: there is nothing yet."""
        self._openers[name] = opener

    def names(self) -> Collection[str]:
        """Return the names of the tables."""
        return {*self._rows, *self._openers}

    def open(self, name: str) -> Table | None:
        """Return a table as it is now, or None if there is none of this name."""
        if name in self._openers:
            return self._openers[name]()
        if name not in self._rows:
            return None
        rows = [dict(row) for asked in self._rows[name] for row in asked()]
        return Table(ds.dataset(pa.Table.from_pylist(rows, schema=COLUMNS[name])))
