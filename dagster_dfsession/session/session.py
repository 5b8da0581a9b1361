"""A session: what was built from a plan."""

import functools
import weakref
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from datafusion import DataFrame, SessionContext
from datafusion.catalog import Table
from typing_extensions import Self

from dagster_dfsession.errors import SessionError
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.plan.classification import hashed_settings
from dagster_dfsession.session.catalog import SessionCatalog, TableName
from dagster_dfsession.session.engine_settings import default_settings, read_settings
from dagster_dfsession.session.failures import Asked, engine_errors, shortened
from dagster_dfsession.session.functions.snapshot import (
    FunctionsSnapshot,
    read_functions,
)
from dagster_dfsession.session.functions.sources import function_sources
from dagster_dfsession.session.parameters import bound_values, missing_values
from dagster_dfsession.session.policy import sql_options
from dagster_dfsession.session.report import InstallReport
from dagster_dfsession.session.rules import read_rules
from dagster_dfsession.session.runtime import SessionRuntime
from dagster_dfsession.session.site import Borrower, Observed, Site
from dagster_dfsession.session.spill import remove_directory
from dagster_dfsession.session.system import SYSTEM_SCHEMA
from dagster_dfsession.session.telemetry import compile_span, session_telemetry
from dagster_dfsession.session.versions import engine_versions
from dagster_dfsession.telemetry.measures import QUERIES, SESSIONS_OPEN
from dagster_dfsession.telemetry.payloads import SessionTelemetry
from dagster_dfsession.telemetry.recorder import Recorder

NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
NOTHING_BOUND: Mapping[TableName, Table] = MappingProxyType({})


class Session:
    """A SessionContext, the plan it was built from, and what was installed.

    Attributes:
        report: What each phase installed.
        hooks: User code that is called around its queries and writes.
        recorder: Told what is done.
    """

    def __init__(self, site: Site, report: InstallReport, recorder: Recorder) -> None:
        """Take over a site whose phases ran."""
        self.report = report
        self.hooks = site.hooks
        self.recorder = recorder
        self._site: Site | None = site
        self._plan = site.plan
        self._options = sql_options(site.plan.statements.policy)
        self._observed: tuple[object, FunctionsSnapshot] | None = None
        self._cleanup = (
            None
            if site.spill_dir is None
            else weakref.finalize(self, remove_directory, site.spill_dir)
        )

    @property
    def plan(self) -> SessionPlan:
        """The plan, also after the session is closed."""
        return self._plan

    @property
    def ctx(self) -> SessionContext:
        """DataFusion's own object, for what this class does not offer.

        Raises:
            SessionError: The session is closed.
        """
        return self._open.ctx

    @property
    def catalog(self) -> SessionCatalog:
        """The catalog that names its tables."""
        return self._open.catalog

    @property
    def borrowers(self) -> weakref.WeakSet[Borrower]:
        """Who has the session now."""
        return self._open.borrowers

    @property
    def spill_dir(self) -> str | None:
        """The directory of this session's spilled batches; None: it has none."""
        return self._open.spill_dir

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._site is None

    @property
    def _open(self) -> Site:
        if self._site is None:
            raise SessionError(
                f"session {self._plan.name!r} is closed; open another one"
            )
        return self._site

    @functools.cached_property
    def sources(self) -> dict[str, str]:
        """The text of each user function, where Python has it."""
        site = self._open
        return function_sources(site.library, site.functions)

    def sql(
        self,
        query: str,
        *,
        params: Mapping[str, Any] | None = None,
        bound: Mapping[TableName, Table] = NOTHING_BOUND,
        known_tables: Callable[[], Collection[str]] | None = None,
    ) -> DataFrame:
        """Plan one query under the profile's SQL policy, between its hooks.

        Args:
            query: SQL; `$name` stands for a value of `params`.
            params: Values by name: bound by the engine, never formatted into the text.
            bound: Tables that names of this query mean, whatever they mean elsewhere.
            known_tables: Asked for the names that a message lists; None: those of
                `table_names`.

        Raises:
            SqlPolicyError: The policy forbids this kind of statement.
            TableNotFoundError: The query names no table that is there.
            QueryError: The engine refused the query for another reason, or a hook did.
        """
        hooks = self.hooks
        with hooks.told_of_errors():
            if hooks.before_query is not None:
                hooks.before_query(query)
            frame = self.planned(
                query, params=params, bound=bound, known_tables=known_tables
            )
            if hooks.after_query is not None:
                hooks.after_query(query, frame)
            return frame

    def planned(
        self,
        query: str,
        *,
        params: Mapping[str, Any] | None = None,
        bound: Mapping[TableName, Table] = NOTHING_BOUND,
        known_tables: Callable[[], Collection[str]] | None = None,
        ctx: SessionContext | None = None,
    ) -> DataFrame:
        """Plan a query as `sql` does, for whom nobody asked: no hook hears of it.

        Args:
            query: As in `sql`.
            params: As in `sql`.
            bound: As in `sql`.
            known_tables: As in `sql`.
            ctx: From `without_statistics`; None: the session's own.

        Raises:
            QueryError: As `sql`.
        """
        site = self._open
        self.observe_for(query)
        asked, doing = self.asked(query, known_tables), f"planning {shortened(query)!r}"
        values = bound_values(params or {}, doing) or missing_values(query)
        with (
            compile_span(query, self._plan.reporting),
            engine_errors(doing, asked),
            site.catalog.planning(bound),
        ):
            self.recorder.totals.add(QUERIES)
            return (ctx or site.ctx).sql_with_options(
                query, self._options, param_values=values
            )

    def observe_for(self, query: str) -> None:
        """Ask the engine what the tables of the schema `dfsession` show, if named.

        They cannot ask it themselves: they are made inside the engine's runtime.
        """
        if SYSTEM_SCHEMA not in query.lower():
            return
        site = self._open
        site.observed = Observed(read_settings(site.ctx), self._functions(site))

    def asked(
        self, query: str, known_tables: Callable[[], Collection[str]] | None = None
    ) -> Asked:
        """Return what a message about a query of this session can tell."""
        names, ctx, system = self._plan.catalog, self.ctx, self.catalog.system
        return Asked(
            query=query,
            tables=known_tables or self.table_names,
            system=lambda: [f"{SYSTEM_SCHEMA}.{each}" for each in system.names()],
            functions=lambda: {
                **dict.fromkeys(ctx.udwfs(), "window"),
                **dict.fromkeys(ctx.udafs(), "aggregate"),
                **dict.fromkeys(ctx.udfs(), "scalar"),
            },
            home=(names.default_catalog, names.default_schema),
        )

    def without_statistics(
        self, settings: Mapping[str, str] = NO_SETTINGS
    ) -> SessionContext:
        """Return the session with other settings, sharing memory, tables and functions.

        It plans without the statistics of Parquet files. They leave NaN out, and the
        engine takes a column whose least and greatest values are equal for constant.
        It would read files by name too, so it is for queries that were planned before.
        """
        twin = self._open.ctx.enable_url_table()
        twin.sql("SET datafusion.execution.collect_statistics = false")
        for key, value in settings.items():
            twin.sql(f"SET {key} = '{value}'")
        return twin

    def table_names(self) -> list[str]:
        """Return the names that a query may use, as SQL spells them, sorted."""
        return sorted(
            self.spelling(name)
            for name in self.catalog.known_names()
            if name[0] != SYSTEM_SCHEMA
        )

    def spelling(self, name: TableName) -> str:
        """Return a name as a query spells it."""
        schema, table = name
        at_home = schema == self._plan.catalog.default_schema
        return table if at_home else f"{schema}.{table}"

    def snapshot(self) -> SessionRuntime:
        """Return what the session says of itself now.

        Settings are read each time, functions again once there are others: what was
        changed behind this class, through `ctx`, is seen. Not seen are a table
        function registered so, and a function put in the place of one of its name.

        Raises:
            SessionError: The session is closed.
            SnapshotError: The engine did not tell.
        """
        site = self._open
        created_by = default_settings()["datafusion.execution.parquet.created_by"]
        return SessionRuntime(
            settings=hashed_settings(read_settings(site.ctx)),
            functions=self._functions(site),
            runtime_env=site.runtime_env,
            versions=engine_versions(created_by.rpartition(" ")[2]),
            profile_hash=self._plan.profile_hash,
            extensions=tuple(each.entry for each in site.extensions),
            rules=read_rules(site.ctx),
            hooks=self.hooks.entries,
        )

    def telemetry(self, version: int = 1) -> SessionTelemetry:
        """Return what sinks are told of the session; docs/diagnostics.md lists it.

        Raises:
            SessionError: The session is closed, or there is no such version.
        """
        return session_telemetry(self._open, self.report, self.recorder, version)

    def _functions(self, site: Site) -> FunctionsSnapshot:
        # Reading them takes 3 ms, looking at their names a tenth.
        named = tuple(
            frozenset(names())
            for names in (site.ctx.udfs, site.ctx.udafs, site.ctx.udwfs)
        )
        if self._observed is None or self._observed[0] != named:
            found = read_functions(
                site.ctx, site.library, site.functions, spark=site.plan.functions.spark
            )
            self._observed = (named, found)
        return self._observed[1]

    def close(self) -> None:
        """Drop the context and its spill directory; closing twice is fine."""
        if self._site is not None:
            self.recorder.totals.add(SESSIONS_OPEN, -1)
        self._site = None
        if self._cleanup is not None:
            self._cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<Session {self._plan.name!r} {self._plan.fingerprint[:16]} {state}>"
