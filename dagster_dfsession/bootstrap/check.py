"""Planning every asset of a graph over the columns of those before it."""

from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType

import msgspec
import pyarrow as pa

from dagster_dfsession.bootstrap.mending import mended
from dagster_dfsession.bootstrap.report import (
    BootstrapItem,
    BootstrapReport,
    Fault,
    Status,
)
from dagster_dfsession.bootstrap.request import (
    BootstrapAsset,
    BootstrapRequest,
    Query,
    Rehearsal,
)
from dagster_dfsession.bootstrap.sessions import CheckSessions
from dagster_dfsession.bootstrap.tables import SmallTables
from dagster_dfsession.delta.arrow_types import delta_schema
from dagster_dfsession.delta.contract import Contract, check_columns
from dagster_dfsession.engines.remote import identity_elsewhere
from dagster_dfsession.errors import (
    ContractError,
    DfSessionError,
    QueryError,
    SchemaMismatchError,
    nearest,
)
from dagster_dfsession.profile.bootstrap import BootstrapProfile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.query.named_tables import named_tables
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.query.stream import Execution
from dagster_dfsession.session.catalog import asset_key
from dagster_dfsession.session.failures import engine_errors
from dagster_dfsession.session.sql_text import places_of

_PASSABLE: frozenset[Status] = frozenset({"ok", "assumed", "mismatch"})
"""The columns of such an asset are known to those that read it."""
_SAID: Mapping[Status, str] = MappingProxyType(
    {"failed": "failed", "blocked": "is blocked"}
)


def bootstrap_session(
    profile: SessionProfile, request: BootstrapRequest
) -> BootstrapReport:
    """Check a graph of assets over empty tables; nothing is read or written.

    Args:
        profile: Of the session the graph will run in, where an asset does not say; its
            `bootstrap` part says how far the check goes.
        request: The graph.

    Returns:
        One item for each asset. What an asset makes is there for the next one, so an
        error is told where it is, and what lies behind it as `blocked`, unless that
        would fail by itself: what reads an asset that failed is planned over the
        columns of its contract or its table, and those that it would make if it found
        all that it names.

    Raises:
        SessionError: The session cannot be opened.
        DfSessionError: Assets read each other.

    Examples:
        >>> from dagster_dfsession.bootstrap.request import BootstrapAsset, Query
        >>> flights = pa.schema({"carrier": pa.string()})
        >>> busy = "SELECT carrier, count(*) AS n FROM flights GROUP BY carier"
        >>> request = BootstrapRequest(
        ...     (
        ...         BootstrapAsset(key="flights", columns=flights),
        ...         BootstrapAsset(key="busy", made=Query(busy)),
        ...     )
        ... )
        >>> report = bootstrap_session(SessionProfile(name="check"), request)
        >>> report.affected[0].faults[0].places
        (Place(line=1, column=53),)
    """
    mode = profile.bootstrap.mode
    assets = {each.key: each for each in request.assets}
    tables = SmallTables(
        profile.catalog.default_schema, assets, seeded=mode == "one_row"
    )
    with CheckSessions(profile, tables) as sessions:
        graph = {
            key: _reads(assets[key], assets, sessions.of(assets[key]).profile)
            for key in sorted(assets)
        }
        check = _Check(sessions, tables, profile.bootstrap)
        for key in _ordered(graph):
            check.add(assets[key], graph[key])
    return BootstrapReport(items=tuple(check.items.values()))


class _Check:
    """What was found so far, and the tables that are there by now."""

    def __init__(
        self, sessions: CheckSessions, tables: SmallTables, profile: BootstrapProfile
    ) -> None:
        self.items: dict[str, BootstrapItem] = {}
        self._sessions = sessions
        self._tables = tables
        self._profile = profile

    def add(self, asset: BootstrapAsset, reads: frozenset[str]) -> None:
        """Check an asset after all that it reads; have its table for those behind."""
        if asset.columns is not None:
            # Also for itself: a query may read what its table has by now.
            self._tables.add(asset.key, asset.columns)
        made = asset.made
        if made is None:
            status: Status = "unknown" if asset.columns is None else "assumed"
            self.items[asset.key] = BootstrapItem(asset=asset.key, status=status)
            return
        behind = sorted(reads - {asset.key})
        pending = [each for each in behind if self.items[each].status not in _PASSABLE]
        causes = {r for each in pending for r in self.items[each].causes or (each,)}
        blocked = BootstrapItem(
            asset=asset.key,
            status="blocked",
            message=self._waits(pending),
            causes=tuple(sorted(causes)),
        )
        if any(each not in self._tables for each in behind):
            self.items[asset.key] = blocked
            return
        try:
            found = self._columns(asset, made, reads)
        except DfSessionError as error:
            errors, provisional = self._seen_through(asset, error, behind)
            if provisional is not None:
                self._tables.add(asset.key, _joined(asset.columns, provisional))
            self.items[asset.key] = msgspec.structs.replace(
                blocked,
                status="failed",
                message="\n".join(map(str, errors)),
                faults=tuple(fault for each in errors for fault in _faults(each)),
            )
            return
        held, item = _fitting(asset, made, found, exact=self._profile.exact_schemas)
        self._tables.add(asset.key, held)
        self.items[asset.key] = blocked if pending else item

    def _columns(
        self, asset: BootstrapAsset, made: Query | Rehearsal, reads: frozenset[str]
    ) -> pa.Schema:
        """Return the columns that are made, as they were found before if they were."""
        if isinstance(made, Rehearsal):
            return made.run({each: self._tables[each] for each in made.reads})
        if made.params or made.engine != "datafusion":
            return self._planned(asset, made)
        known = {e: self._tables[e].schema for e in reads if e in self._tables}
        kept = self._sessions.of(asset).kept
        return kept.columns(made.sql, known, lambda: self._planned(asset, made))

    def _planned(self, asset: BootstrapAsset, made: Query) -> pa.Schema:
        """Return the columns that are made, as far as the profile wants them made."""
        session = self._sessions.of(asset).session
        frame = session.sql(made.sql, params=made.params)
        if made.engine == "sail":
            planned = Planned(frame)
            with engine_errors(f"planning {asset.key}", session.asked(made.sql)):
                identity_elsewhere(made.sql, planned, session.snapshot())
        if self._profile.mode == "plan":
            with engine_errors(f"planning {asset.key}", session.asked(made.sql)):
                frame.optimized_logical_plan()
        else:
            doing = f"running {asset.key} over {self._profile.mode}"
            Execution(frame, doing).reader.read_all()
        return frame.schema()

    def _seen_through(
        self, asset: BootstrapAsset, error: DfSessionError, reads: Iterable[str]
    ) -> tuple[tuple[DfSessionError, ...], pa.Schema | None]:
        """Return what else is wrong, and the columns that would be made without it."""
        made = asset.made
        if not isinstance(made, Query) or not isinstance(error, QueryError):
            return (error,), None
        session = self._sessions.of(asset).session
        return mended(session, made, error, self._tables, reads)

    def _waits(self, pending: Iterable[str]) -> str:
        """Return what is wrong with the assets that an asset reads."""
        return "; ".join(
            f"reads {each}, whose columns nobody knows: give it a contract with a "
            "schema, or materialize it once"
            if self.items[each].status == "unknown"
            else f"reads {each}, which {_SAID[self.items[each].status]}"
            for each in pending
        )


def _joined(columns: pa.Schema | None, others: pa.Schema) -> pa.Schema:
    """Return the columns of both: what reads neither is wrong by itself."""
    own = pa.schema([]) if columns is None else columns
    return pa.schema([*own, *(each for each in others if each.name not in own.names)])


def _fitting(
    asset: BootstrapAsset, made: Query | Rehearsal, found: pa.Schema, *, exact: bool
) -> tuple[pa.Schema, BootstrapItem]:
    """Hold what is made against what is wanted; return what its readers will find."""
    item = BootstrapItem(asset=asset.key, status="ok")
    try:
        return _stored(asset, found), item
    except DfSessionError as error:
        refused = error
    message = str(refused)
    if not exact and isinstance(refused, ContractError):
        item = msgspec.structs.replace(item, message=message)
    else:
        sql = made.sql if isinstance(made, Query) else ""
        item = BootstrapItem(
            asset=asset.key,
            status="mismatch",
            message=message,
            faults=_differences(found, asset.columns, sql),
        )
    try:
        return delta_schema(found), item
    except SchemaMismatchError:  # which is what the item says already
        return found, item


def _stored(asset: BootstrapAsset, found: pa.Schema) -> pa.Schema:
    if asset.stored is not None:
        return asset.stored(found)
    held = delta_schema(found)
    check_columns(Contract(schema=asset.columns), held, asset.key)
    return held


def _faults(error: DfSessionError) -> tuple[Fault, ...]:
    if not isinstance(error, QueryError):
        return ()
    name = error.name or error.table
    if name is None and not error.places:
        return ()
    return (Fault(name=name, places=error.places, suggestion=error.suggestion),)


def _differences(
    found: pa.Schema, wanted: pa.Schema | None, sql: str
) -> tuple[Fault, ...]:
    """Return the columns that are not as they should be, and where the query has them.

    Of two names that are nearly one, each is the suggestion for the other.
    """
    if wanted is None:
        return ()
    lacking = [name for name in wanted.names if name not in found.names]
    extra = [name for name in found.names if name not in wanted.names]
    changed = [
        field.name
        for field in found
        if field.name in wanted.names
        and str(field.type) != str(wanted.field(field.name).type)
    ]
    others = [(name, extra) for name in lacking] + [(name, lacking) for name in extra]
    return tuple(
        Fault(name=name, places=places_of(name, sql), suggestion=nearest(name, other))
        for name, other in [*others, *((name, ()) for name in changed)]
    )


def _reads(
    asset: BootstrapAsset, keys: Collection[str], profile: SessionProfile
) -> frozenset[str]:
    """Return the assets of the graph that an asset reads."""
    if asset.made is None:
        return frozenset()
    if isinstance(asset.made, Rehearsal):
        return frozenset(asset.made.reads)
    try:
        named = named_tables(asset.made.sql, profile)
    except QueryError:
        # What is wrong with it is told when it is its turn.
        return frozenset()
    home = profile.catalog.default_schema
    return frozenset("/".join(asset_key(name, home)) for name in named) & set(keys)


def _ordered(graph: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    before = {key: sorted(reads - {key}) for key, reads in graph.items()}
    try:
        return tuple(TopologicalSorter(before).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise DfSessionError(f"assets read each other: {circle}") from None
