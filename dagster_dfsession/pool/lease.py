"""The borrowing of a session: what it registers is its own, and goes when it ends."""

import itertools
from collections import Counter
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from datafusion import DataFrame
from datafusion.catalog import Table
from typing_extensions import Self

from dagster_dfsession.delta.cursor import Cursor
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.native import NativeScans
from dagster_dfsession.delta.stores import register_store
from dagster_dfsession.errors import PoolError
from dagster_dfsession.pool.changed import cursor_of, turns_of
from dagster_dfsession.pool.inputs import LoadedInput, Narrowing
from dagster_dfsession.pool.registering import check_name, quoted_name, register_data
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.pool.tables import OpenedTable
from dagster_dfsession.query.rebinding import Statement
from dagster_dfsession.session.catalog import TableName
from dagster_dfsession.session.failures import engine_errors, table_not_found
from dagster_dfsession.session.session import Session


class Lease:
    """A session lent to one scope.

    Attributes:
        session: What is lent.
        scope: To whom.
        prefix: What every registered name begins with; made once.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        """Lend `session` to `scope`."""
        self.session = session
        self.scope = scope
        self.prefix = scope.prefix
        self._names: dict[str, str] = {}
        self._registered: list[str] = []
        self._digests: dict[str, str] = {}
        self._bound: dict[TableName, Table] = {}
        self._loaded: dict[TableName, LoadedInput] = {}
        self._statements: WeakKeyDictionary[DataFrame, Statement] = WeakKeyDictionary()
        self._has_frames = False
        self._turns: dict[str, Mapping[str, int]] = {}
        self._writes: Counter[str] = Counter()
        self._released = False

    @property
    def loaded(self) -> Mapping[TableName, LoadedInput]:
        """Tables that were given to the step as inputs."""
        return self._loaded

    @property
    def cursor(self) -> Cursor:
        """How far the step has read the tables whose changes it was given."""
        return cursor_of(self._loaded.values())

    def turns(self, location: Location) -> dict[str, int]:
        """Return how often the turns were taken to commit these rows to a table."""
        noted = self._turns.get(location.uri, {})
        return {**turns_of(self._loaded.values(), location), **noted}

    def note_turns(self, location: Location, turns: Mapping[str, int]) -> None:
        """Have the step write to a table only if nobody takes these turns before."""
        self._turns[location.uri] = turns

    @property
    def names(self) -> Mapping[str, str]:
        """Full names of this lease's data -> what they are called in every run.

        That is the name it was asked for by, and a number where other data had it
        before: a frame composed over that data still means it.
        """
        return self._names

    @property
    def digests(self) -> Mapping[str, str]:
        """Full names of this lease's data -> digest of its rows, if held in memory."""
        return self._digests

    def sql(
        self,
        query: str,
        *,
        params: Mapping[str, Any] | None = None,
        tables: Mapping[str, Any] | None = None,
    ) -> DataFrame:
        """Plan a query; names mean `tables`, then what was registered, then assets.

        Args:
            query: SQL; `$name` stands for a value of `params`.
            params: Values by name, bound by the engine.
            tables: Frames or Arrow data that the query calls by these names, and
                only this query.

        Raises:
            QueryError: As `Session.sql`.
            UnsupportedTypeError: A table is nothing the engine can read.
        """
        session, own, scoped = self._lent, dict(self._bound), []
        try:
            for name, data in (tables or {}).items():
                full, own[self._bare(name)] = self._add(name, data)
                scoped.append(full)
            frame = session.sql(
                query,
                params=params,
                bound=own,
                known_tables=lambda: self._known_names(own),
            )
            if not self._has_frames:
                self._statements[frame] = Statement(query, dict(params or {}), own)
            return frame
        finally:
            # The frame holds what it was planned over.
            for full in scoped:
                session.catalog.forget(self._bare(full))

    def table(self, name: str) -> DataFrame:
        """Return a table by its name in SQL: `flights`, `raw.flights`.

        Raises:
            TableNotFoundError: There is none.
        """
        return self._planned(self.named(name), self._bound)

    def named(self, name: str) -> TableName:
        """Return the schema and table of a name in SQL."""
        names = self._lent.plan.catalog
        *schema, table = name.split(".")
        if len(schema) > 1 and schema[0] == names.default_catalog:
            del schema[0]
        return (".".join(schema) or names.default_schema, table)

    def _planned(self, name: TableName, bound: Mapping[TableName, Table]) -> DataFrame:
        session = self._lent
        spelt = session.spelling(name)
        session.observe_for(spelt)
        with engine_errors(f"opening {spelt!r}"), session.catalog.planning(bound):
            try:
                return session.ctx.table(quoted_name(session, name))
            except KeyError:
                asked = session.asked(spelt, lambda: self._known_names(bound))
                raise table_not_found(spelt, asked) from None

    def _known_names(self, bound: Mapping[TableName, Table]) -> set[str]:
        session = self.session
        own = {session.spelling(name) for name in bound}
        return own | (set(session.table_names()) - set(self._names))

    def register(self, name: str, data: Any) -> str:
        """Make data known under a name, for this lease only.

        Args:
            name: What queries of this lease call it.
            data: A DataFusion frame (stays lazy), a Delta table, a dataset, or
                anything with an Arrow stream (is held in memory).

        Returns:
            The full name, which is unique among all runs, steps and attempts.

        Raises:
            PoolError: The lease has ended.
            UnsupportedTypeError: The engine cannot read this type.
        """
        full, self._bound[self._bare(name)] = self._add(name, data)
        self._registered.append(full)
        return full

    def scan(self, opened: OpenedTable) -> DataFrame:
        """Return an opened table under its name, whatever else the name means."""
        return self._planned(opened.name, {opened.name: opened.table})

    def load(
        self,
        opened: OpenedTable,
        partition_keys: tuple[str, ...] | None,
        narrowing: Narrowing,
    ) -> DataFrame:
        """Note that a table is an input of the step, and return what it is given.

        From here on, its name in this lease's queries means that frame.

        Args:
            opened: The table.
            partition_keys: Those that the step reads; None: the whole table.
            narrowing: What of it the step is given.
        """
        self._check_open()
        frame = narrowing.of(self.scan(opened))
        self._loaded[opened.name] = LoadedInput(opened, partition_keys, narrowing)
        self._bound[opened.name] = frame.into_view()
        return frame

    def statement_of(self, frame: DataFrame) -> Statement | None:
        """Return the text that a frame was planned from; None: from no text alone."""
        return self._statements.get(frame)

    def narrowed(self, name: TableName, rows: DataFrame) -> Table:
        """Return what a table's name means in this lease's queries, over its rows."""
        loaded = self._loaded.get(name)
        return (rows if loaded is None else loaded.narrowing.of(rows)).into_view()

    def scans(self, opened: OpenedTable) -> NativeScans:
        """Return what makes the engine's own scans of an opened table."""
        ctx = self._lent.ctx
        if opened.scans is None or opened.scans.ctx is not ctx:
            register_store(ctx, opened.location)
            schema = self.scan(opened).schema()
            opened.scans = NativeScans(ctx, opened.files, schema)
        return opened.scans

    def next_write(self, target: str) -> int:
        """Return which write of a target this is in the lease, from 0."""
        self._writes[target] += 1
        return self._writes[target] - 1

    def release(self) -> None:
        """Remove exactly what this lease registered; a second call does nothing.

        Raises:
            PoolError: A name was gone already: the session is not as it should be.
        """
        if self._released:
            return
        self._released = True
        self._bound.clear()
        self._loaded.clear()
        self._statements.clear()
        self._names.clear()
        self._digests.clear()
        if self.session.closed:
            return
        missing = []
        for full in self._registered:
            try:
                self.session.catalog.remove(self._bare(full))
            except KeyError:
                missing.append(full)
        if missing:
            raise PoolError(
                f"{', '.join(missing)} of {self.prefix!r} had been removed by others"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<Lease {self.prefix!r} of {self.session!r}>"

    @property
    def _lent(self) -> Session:
        self._check_open()
        return self.session

    def _check_open(self) -> None:
        if self._released:
            raise PoolError(
                f"the lease {self.prefix!r} has ended; what belongs to it is gone"
            )

    def _bare(self, name: str) -> TableName:
        return (self.session.plan.catalog.default_schema, name)

    def _label(self, name: str) -> str:
        taken = set(self._names.values())
        numbered = (f"{name}__{number}" for number in itertools.count(2))
        return next(n for n in itertools.chain([name], numbered) if n not in taken)

    def _add(self, name: str, data: Any) -> tuple[str, Table]:
        """Register data under its full name; return that, and a view for the short one.

        The view keeps the full name in plans, so a plan tells data from assets.
        """
        session = self._lent
        check_name(name)
        label = self._label(name)
        full = self.prefix + label
        digest = register_data(session, full, data)
        # Over a frame a text says too little: what that reads is not in it.
        self._has_frames |= isinstance(data, DataFrame)
        self._names[full] = label
        if digest is not None:
            self._digests[full] = digest
        return full, session.ctx.table(full).into_view()
