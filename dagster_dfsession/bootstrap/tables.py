"""Tables that have columns and hardly any rows."""

import decimal
from collections.abc import Callable, Collection, Iterable

import pyarrow as pa
import pyarrow.dataset as ds
from datafusion.catalog import Table

from dagster_dfsession.session.catalog import TableName, table_name

_LEAST: tuple[tuple[Callable[[pa.DataType], bool], object], ...] = (
    (pa.types.is_string, ""),
    (pa.types.is_large_string, ""),
    (pa.types.is_binary, b""),
    (pa.types.is_large_binary, b""),
    (pa.types.is_list, []),
    (pa.types.is_large_list, []),
    (pa.types.is_map, []),
    (pa.types.is_decimal, decimal.Decimal(0)),
)


class SmallTables:
    """A source of tables by asset key, each of no rows or one.

    Args:
        default_schema: That of tables whose key has one part.
        keys: Of all tables that there may be, for messages.
        seeded: With one row: NULL where a column may be NULL, else the least value of
            its type.
    """

    def __init__(
        self, default_schema: str, keys: Iterable[str], *, seeded: bool
    ) -> None:
        self._default_schema = default_schema
        self._known = frozenset(map(self.name, keys))
        self._seeded = seeded
        self._tables: dict[TableName, pa.Table] = {}

    def __contains__(self, key: str) -> bool:
        return self.name(key) in self._tables

    def __getitem__(self, key: str) -> pa.Table:
        return self._tables[self.name(key)]

    def add(self, key: str, schema: pa.Schema) -> None:
        """Have a table of these columns; one that is there gets them."""
        rows = [_seed(schema)] if self._seeded else []
        self._tables[self.name(key)] = pa.Table.from_pylist(rows, schema=schema)

    def open(self, name: TableName) -> Table | None:
        """Return the table for the engine, or None."""
        found = self._tables.get(name)
        return None if found is None else engine_table(found)

    def names(self) -> Collection[TableName]:
        """Return the names of all tables that there may be."""
        return self._known

    def name(self, key: str) -> TableName:
        """Return what an asset is called in SQL."""
        return table_name(key.split("/"), self._default_schema)


def engine_table(rows: pa.Table) -> Table:
    """Return rows in memory as a table that needs no session."""
    return Table(ds.dataset(rows))


def _seed(schema: pa.Schema) -> dict[str, object]:
    return {
        field.name: None if field.nullable else _least(field.type) for field in schema
    }


def _least(kind: pa.DataType) -> object:
    if pa.types.is_struct(kind):
        return {child.name: _least(child.type) for child in kind.fields}
    for is_kind, least in _LEAST:
        if is_kind(kind):
            return least
    days = pa.types.is_date32(kind) or pa.types.is_time32(kind)
    return pa.scalar(0, pa.int32() if days else pa.int64()).cast(kind).as_py()
