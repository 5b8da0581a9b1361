"""Zero-row bootstrap: does every query of a graph fit the tables before it?"""

import decimal
from collections.abc import Callable, Collection, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Literal

import msgspec
import pyarrow as pa
import pyarrow.dataset as ds
from datafusion.catalog import Table

from dagster_dfsession.delta.arrow_types import column_differences, delta_schema
from dagster_dfsession.errors import DfSessionError
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.profile.bootstrap import BootstrapProfile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.query.stream import Execution
from dagster_dfsession.session.catalog import TableName
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.session import Session

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
_PASSABLE = frozenset({"ok", "mismatch"})
"""The columns of such a query are known to those that read it."""


class BootstrapRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The graph to check; names are as queries spell them: `raw.flights`.

    Attributes:
        tables: Columns of the tables that nothing in the graph makes.
        queries: SQL by the name of the table it makes, in any order.
        declared: Columns that a query should have, where somebody said so.
    """

    tables: Mapping[str, pa.Schema]
    queries: Mapping[str, str]
    declared: Mapping[str, pa.Schema] = {}


class BootstrapItem(Frozen, frozen=True):
    """What became of one query.

    Attributes:
        status: `blocked`: a query that it reads failed.
        message: Why, if it is not `ok`.
    """

    name: str
    status: Literal["ok", "failed", "mismatch", "blocked"]
    message: str = ""


class BootstrapReport(Frozen, frozen=True):
    """What became of all queries, each after those it reads.

    It holds no time and no address: the same graph gives the same report.
    """

    items: tuple[BootstrapItem, ...]

    @property
    def success(self) -> bool:
        """Whether every query fits."""
        return all(item.status == "ok" for item in self.items)


def bootstrap_session(
    profile: SessionProfile, request: BootstrapRequest
) -> BootstrapReport:
    """Check a graph of queries over empty tables; nothing is read or written.

    Args:
        profile: The session the graph will run in; its `bootstrap` part says how far
            the check goes.
        request: The graph.

    Returns:
        One item for each query. What a query makes is there for the next one, so an
        error is told where it is, and what lies behind it as `blocked`.

    Raises:
        SessionError: The session cannot be opened.

    Examples:
        >>> profile = SessionProfile(name="check")
        >>> request = BootstrapRequest(
        ...     tables={"flights": pa.schema({"carrier": pa.string()})},
        ...     queries={
        ...         "busy": "SELECT carrier, count(*) AS n FROM flights GROUP BY 1"
        ...     },
        ... )
        >>> bootstrap_session(profile, request).success
        True
    """
    schemas = _Schemas(
        profile.catalog.default_schema, profile.bootstrap, request.tables
    )
    with open_session(plan_session(profile), source=schemas) as session:
        reads = {
            name: _names(session, schemas, query)
            for name, query in sorted(request.queries.items())
        }
        items: dict[str, BootstrapItem] = {}
        for name in _ordered(reads, request.queries):
            behind = [each for each in reads[name] if each in items]
            broken = [each for each in behind if items[each].status not in _PASSABLE]
            items[name] = (
                BootstrapItem(name=name, status="blocked", message=f"reads {broken[0]}")
                if broken
                else _checked(session, schemas, name, request, profile.bootstrap)
            )
    return BootstrapReport(items=tuple(items.values()))


class _Schemas:
    """A source of tables with columns and hardly any rows."""

    def __init__(
        self,
        default_schema: str,
        profile: BootstrapProfile,
        schemas: Mapping[str, pa.Schema],
    ) -> None:
        self._default_schema = default_schema
        self._seeded = profile.mode == "one_row"
        self._known = {self._name(text): each for text, each in schemas.items()}
        self.asked: set[str] = set()

    def add(self, text: str, schema: pa.Schema) -> None:
        self._known[self._name(text)] = schema

    def open(self, name: TableName) -> Table | None:
        schema, table = name
        self.asked.add(table if schema == self._default_schema else f"{schema}.{table}")
        found = self._known.get(name)
        if found is None:
            return None
        rows = [_seed(found)] if self._seeded else []
        return Table(ds.dataset(pa.Table.from_pylist(rows, schema=found)))

    def names(self) -> Collection[TableName]:
        return self._known

    def _name(self, text: str) -> TableName:
        schema, _, table = text.rpartition(".")
        return (schema or self._default_schema, table)


def _names(session: Session, schemas: _Schemas, query: str) -> frozenset[str]:
    """Return the tables that a query names: the engine asks for each of them."""
    schemas.asked.clear()
    try:
        session.sql(query)
    except DfSessionError:
        # What is wrong with it is told when it is its turn.
        return frozenset(schemas.asked)
    return frozenset(schemas.asked)


def _ordered(
    reads: Mapping[str, frozenset[str]], queries: Mapping[str, str]
) -> tuple[str, ...]:
    graph = {
        name: sorted(reads[name] & set(queries) - {name}) for name in sorted(queries)
    }
    try:
        return tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise DfSessionError(f"queries read each other: {circle}") from None


def _checked(
    session: Session,
    schemas: _Schemas,
    name: str,
    request: BootstrapRequest,
    profile: BootstrapProfile,
) -> BootstrapItem:
    try:
        frame = session.sql(request.queries[name])
        if profile.mode != "plan":
            Execution(frame, f"running {name} over {profile.mode}").reader.read_all()
    except DfSessionError as error:
        return BootstrapItem(name=name, status="failed", message=str(error))
    found = delta_schema(frame.schema())
    schemas.add(name, found)
    wrong = _differences(found, request.declared.get(name))
    if wrong and profile.exact_schemas:
        return BootstrapItem(name=name, status="mismatch", message=wrong)
    return BootstrapItem(name=name, status="ok", message=wrong)


def _differences(found: pa.Schema, declared: pa.Schema | None) -> str:
    if declared is None:
        return ""
    missing, extra, changed = column_differences(found, declared)
    said = {"missing": missing, "not declared": extra, "of another type": changed}
    return "; ".join(
        f"{what}: {', '.join(which)}" for what, which in said.items() if which
    )


def _seed(schema: pa.Schema) -> dict[str, object]:
    """Return one row: NULL where a column may be NULL, else the least of its type."""
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
