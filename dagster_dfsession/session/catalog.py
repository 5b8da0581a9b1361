"""The catalog of a session: names become tables when a query asks for them."""

import contextlib
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NoReturn, Protocol

from datafusion.catalog import CatalogProvider, SchemaProvider, Table

from dagster_dfsession.errors import SessionError
from dagster_dfsession.session.system import SYSTEM_SCHEMA, SystemTables

TableName = tuple[str, str]
"""Schema and table, as `("raw", "flights")`."""


def table_name(key: Sequence[str], default_schema: str) -> TableName:
    """Return the schema and table that an asset key is called in SQL.

    One part is a table of the default schema; of more parts the last is the table and
    the others, joined by `/`, the schema.

    Examples:
        >>> table_name(["raw", "us", "flights"], "public")
        ('raw/us', 'flights')
    """
    *schema, table = key
    return ("/".join(schema) or default_schema, table)


def asset_key(name: TableName, default_schema: str) -> tuple[str, ...]:
    """Return the asset key that a schema and table stand for.

    Examples:
        >>> asset_key(("public", "flights"), "public")
        ('flights',)
    """
    schema, table = name
    return (table,) if schema == default_schema else (*schema.split("/"), table)


class TableSource(Protocol):
    """Where tables come from that nobody registered."""

    def open(self, name: TableName) -> Table | None:
        """Return the table, or None if there is none of this name."""

    def names(self) -> Collection[TableName]:
        """Return the names that are known, for messages."""


class NoTables:
    """A source that has nothing."""

    def open(self, name: TableName) -> Table | None:
        """Return None."""
        del name
        return None  # mypy wants the None said

    def names(self) -> Collection[TableName]:
        """Return nothing."""
        return ()


class SessionCatalog(CatalogProvider):
    """One catalog: what was registered, what is bound for a query, then the source.

    DataFusion calls a provider from inside its own runtime, where a blocking call to
    the engine would panic: everything handed out here is a finished `Table`.
    """

    def __init__(self, default_schema: str) -> None:
        """Start empty."""
        self.default_schema = default_schema
        self.source: TableSource = NoTables()
        self.system = SystemTables()
        self._registered: dict[TableName, Table] = {}
        self._bound: Mapping[TableName, Table] = {}
        self._failure: Exception | None = None
        self._named: set[TableName] = set()
        self._planning = threading.RLock()

    def schema_names(self) -> set[str]:
        """Return the schemas that hold something, and the default one."""
        return {self.default_schema} | {schema for schema, _ in self.known_names()}

    def schema(self, name: str) -> SchemaProvider | None:  # type: ignore[override]  # the engine takes any provider
        """Return a view of one schema; any name may hold tables yet to be opened."""
        return None if name == "information_schema" else _SchemaView(self, name)

    def known_names(self) -> set[TableName]:
        """Return the names that a query may use now."""
        own = {(SYSTEM_SCHEMA, name) for name in self.system.names()}
        return {*self._registered, *self._bound, *self.source.names(), *own}

    def kind(self, name: TableName) -> str:
        """Return how a known name came to be one."""
        if name[0] == SYSTEM_SCHEMA and name[1] in self.system.names():
            return "system"
        named_now = name in self._bound or name in self._registered
        return "registered" if named_now else "asset"

    def find(self, name: TableName) -> Table | None:
        """Return the table of a name; a failure to open it is kept for the caller."""
        self._named.add(name)
        for tables in (self._bound, self._registered):
            if name in tables:
                return tables[name]
        try:
            own = self.system.open(name[1]) if name[0] == SYSTEM_SCHEMA else None
            return self.source.open(name) if own is None else own
        except Exception as error:  # noqa: BLE001  # `planning` raises it as it was
            self._failure = error
            return None

    def add(self, name: TableName, table: Table) -> None:
        """Register a table; a name that is taken gets the new one."""
        self._registered[name] = table

    def forget(self, name: TableName) -> None:
        """Make a name free, whether or not something is registered under it."""
        self._registered.pop(name, None)

    def refuse(self, system_table: str, what: str) -> NoReturn:
        """Say that the tables of a session are its own; `planning` says it too.

        Raises:
            SessionError: Always.
        """
        self._failure = SessionError(
            f"{SYSTEM_SCHEMA}.{system_table} cannot be {what}: in that schema a "
            "session tells of itself; use another one"
        )
        raise self._failure

    def remove(self, name: TableName) -> None:
        """Forget a registered table.

        Raises:
            KeyError: Nothing is registered under this name.
        """
        del self._registered[name]

    @property
    def registered(self) -> frozenset[TableName]:
        """The names registered now."""
        return frozenset(self._registered)

    @contextlib.contextmanager
    def planning(
        self, bound: Mapping[TableName, Table]
    ) -> Iterator[AbstractSet[TableName]]:
        """Let names mean other tables while one query is planned, on one thread.

        Yields:
            The names that the query has in it, once it was planned.

        Raises:
            Exception: What the source raised when it opened a table of the query.
        """
        with self._planning:
            before, self._bound, self._failure = self._bound, bound, None
            self._named = set()
            try:
                yield self._named
            finally:
                self._bound = before
                failure, self._failure = self._failure, None
                if failure is not None:
                    raise failure


class _SchemaView(SchemaProvider):
    def __init__(self, catalog: SessionCatalog, name: str) -> None:
        self._catalog = catalog
        self._name = name

    @property
    def table_names(self) -> list[str]:  # type: ignore[override]  # the engine reads a property, and no set
        known = self._catalog.known_names()
        return sorted(table for schema, table in known if schema == self._name)

    def table(self, name: str) -> Table | None:
        return self._catalog.find((self._name, name))

    def register_table(self, name: str, table: Any) -> None:
        if self._name == SYSTEM_SCHEMA:
            self._catalog.refuse(name, "made")
        made = table if isinstance(table, Table) else Table(table)
        self._catalog.add((self._name, name), made)

    def deregister_table(self, name: str, cascade: bool = True) -> None:  # noqa: FBT001, FBT002  # the engine's signature
        del cascade
        if self._name == SYSTEM_SCHEMA:
            self._catalog.refuse(name, "dropped")
        self._catalog.forget((self._name, name))

    def table_exist(self, name: str) -> bool:
        return (self._name, name) in self._catalog.known_names()
