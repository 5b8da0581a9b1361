"""A session: what was built from a plan."""

import shutil
import weakref
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from datafusion import DataFrame, SessionContext, SQLOptions
from datafusion.catalog import Table
from typing_extensions import Self

from dagster_dfsession.errors import SessionError
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.plan.classification import hashed_settings
from dagster_dfsession.profile.sql import SqlPolicy
from dagster_dfsession.session.catalog import SessionCatalog, TableName
from dagster_dfsession.session.engine_settings import default_settings, read_settings
from dagster_dfsession.session.failures import engine_errors, shortened
from dagster_dfsession.session.functions.snapshot import (
    FunctionsSnapshot,
    read_functions,
)
from dagster_dfsession.session.report import InstallReport
from dagster_dfsession.session.runtime import SessionRuntime
from dagster_dfsession.session.site import Site
from dagster_dfsession.session.versions import engine_versions

NOTHING_BOUND: Mapping[TableName, Table] = MappingProxyType({})


class Session:
    """A SessionContext, the plan it was built from, and what was installed.

    Attributes:
        report: What each phase installed.
    """

    def __init__(self, site: Site, report: InstallReport) -> None:
        """Take over a site whose phases ran."""
        self.report = report
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

    def sql(
        self,
        query: str,
        *,
        params: Mapping[str, Any] | None = None,
        bound: Mapping[TableName, Table] = NOTHING_BOUND,
        known_tables: Callable[[], Collection[str]] | None = None,
        ctx: SessionContext | None = None,
    ) -> DataFrame:
        """Plan one query under the profile's SQL policy.

        Args:
            query: SQL; `$name` stands for a value of `params`.
            params: Values by name: bound by the engine, never formatted into the text.
            bound: Tables that names of this query mean, whatever they mean elsewhere.
            known_tables: Asked for the names that a message lists; None: those of
                `table_names`.
            ctx: From `without_statistics`; None: the session's own.

        Raises:
            SqlPolicyError: The policy forbids this kind of statement.
            TableNotFoundError: The query names no table that is there.
            QueryError: The engine refused the query for another reason.
        """
        site = self._open
        names = self._plan.catalog
        with (
            engine_errors(
                f"planning {shortened(query)!r}",
                known_tables=known_tables or self.table_names,
                home=(names.default_catalog, names.default_schema),
            ),
            site.catalog.planning(bound),
        ):
            return (ctx or site.ctx).sql_with_options(
                query, self._options, param_values=dict(params or {})
            )

    def without_statistics(self) -> SessionContext:
        """Return the session with other settings, sharing memory, tables and functions.

        It plans without the statistics of Parquet files. They leave NaN out, and the
        engine takes a column whose least and greatest values are equal for constant.
        It would read files by name too, so it is for queries that were planned before.
        """
        twin = self._open.ctx.enable_url_table()
        twin.sql("SET datafusion.execution.collect_statistics = false")
        return twin

    def table_names(self) -> list[str]:
        """Return the names that a query may use, as SQL spells them, sorted."""
        return sorted(
            self.spelling(name)
            for name in self.catalog.known_names()
            if name[0] != "dfsession"
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
        )

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


def sql_options(policy: SqlPolicy) -> SQLOptions:
    """Return DataFusion's form of a policy."""
    return (
        SQLOptions()
        .with_allow_ddl(policy.allow_ddl)
        .with_allow_dml(policy.allow_dml)
        .with_allow_statements(policy.allow_statements)
    )


def remove_directory(path: str) -> None:
    """Remove a spill directory, with what the engine left in it."""
    shutil.rmtree(path, ignore_errors=True)
