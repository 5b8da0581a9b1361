"""A session over a lake for everybody outside a Dagster run."""

import contextlib
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from datafusion import DataFrame
from typing_extensions import Self

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.merges import Merge
from dagster_dfsession.delta.modes import SchemaMode, WriteMode
from dagster_dfsession.errors import LocationError, QueryError, did_you_mean, listing
from dagster_dfsession.materialization.artifact import PlanArtifact
from dagster_dfsession.materialization.compiling import compiled
from dagster_dfsession.materialization.executing import planned_again
from dagster_dfsession.materialization.hooked import materialize_hooked
from dagster_dfsession.materialization.materialize import Materialization
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.pool.adhoc import AdhocSessions
from dagster_dfsession.pool.asking import read_query
from dagster_dfsession.pool.explaining import explanation
from dagster_dfsession.pool.reading import bound, explained
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.pool.versions import table_as_of
from dagster_dfsession.profile.codec import parse_profile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.query.result import Result
from dagster_dfsession.session.catalog import asset_key

Level = Literal["plan", "analyze"]


class LakeSession:
    """A session over the tables of a lake, for scripts, notebooks and commands.

    Nothing happens before it is first used. Then every table that a query names is read
    at one version, the newest there was when it was first named; a later session sees
    newer ones.

    Attributes:
        plan: What the session is built from.

    Examples:
        >>> import tempfile
        >>> with LakeSession("dev", root_uri=tempfile.mkdtemp()) as lake:
        ...     artifact = lake.compile("SELECT $n AS n", params={"n": 1})
        ...     lake.write(artifact, "numbers").written.version
        ...     lake.sql("SELECT n FROM numbers").to_pydict()
        0
        {'n': [1]}
    """

    def __init__(
        self,
        profile: SessionProfile | str,
        *,
        root_uri: str | None = None,
        storage_options: Mapping[str, str] | None = None,
        udfs: Sequence[str] = (),
    ) -> None:
        """Check what is asked for; no engine starts, and no file is touched.

        Args:
            profile: Or the name of a preset.
            root_uri: The lake: a directory, or an address such as `s3://bucket/lake`.
                None: queries read what they are given.
            storage_options: What opens it, as deltalake takes them.
            udfs: Modules that declare functions, besides those of the profile.

        Raises:
            ProfileError: There is no such preset, or a part of the profile is wrong.
            LocationError: The address names no place, or options came without one.
        """
        if root_uri is None and storage_options:
            raise LocationError(
                "storage_options were given without a root_uri, so there is nothing "
                "that they open; give the lake's address too"
            )
        start = parse_profile({}, base=profile)
        modules = [*start.functions.modules, *udfs]
        changes = {"functions": {"modules": modules}} if udfs else {}
        self.plan = plan_session(parse_profile(changes, base=start))
        self._lakes = () if root_uri is None else (Lake(root_uri, storage_options),)
        self._sessions = AdhocSessions(self.plan, self._lakes)

    def sql(
        self, query: str, *, params: Mapping[str, Any] | None = None, **tables: Any
    ) -> DataFrame:
        """Plan a query over the lake's tables and those given here; nothing runs yet.

        A frame that is collected by its own methods reads every file; `stream` it to
        read those that it needs.

        Args:
            query: SQL; `$name` stands for a value of `params`.
            params: Values by name: bound by the engine, never formatted into the text.
            **tables: Frames or Arrow data by the names that the query calls them.

        Raises:
            QueryError: The engine, or the profile's SQL policy, refused the query.
        """
        lease = self._sessions.common_lease()
        return explained(
            lease.sql(query, params=params, tables=tables), lease, self._tables
        )

    def stream(
        self,
        query: str | DataFrame,
        *,
        params: Mapping[str, Any] | None = None,
        **tables: Any,
    ) -> Result:
        """Return the rows of a query as they come, of the files that it needs.

        Args:
            query: As in `compile`.
            params: As in `sql`.
            **tables: As in `sql`.

        Raises:
            QueryError: As `compile`.
        """
        run = self._sessions.current
        with self._sessions.lent(query, params, tables) as lease:
            return read_query(query, run, lease, params=params, tables=tables)

    def table(
        self,
        name: str,
        *,
        version: int | None = None,
        timestamp: str | dt.datetime | None = None,
    ) -> DataFrame:
        """Return a table by its name in SQL: `flights`, `raw.flights`.

        Args:
            name: The table.
            version: Read it as it was at this version; queries may then call it
                `"flights@3"`.
            timestamp: Read it as it was at this time, which has a time zone.

        Raises:
            TableNotFoundError: There is none.
            DeltaError: It has no such version.
        """
        lease = self._sessions.common_lease()
        if version is None and timestamp is None:
            return lease.table(name)
        return table_as_of(
            name, lease, self._tables, version=version, timestamp=timestamp
        )

    def compile(
        self,
        query: str | DataFrame,
        *,
        params: Mapping[str, Any] | None = None,
        **tables: Any,
    ) -> PlanArtifact:
        """Plan a query and return what is known of it; nothing runs.

        Args:
            query: SQL, or a frame of this session.
            params: As in `sql`; they become part of the artifact.
            **tables: As in `sql`. The artifact keeps digests of their rows: who runs
                it gives the rows again.

        Raises:
            QueryError: The query does not plan, or a frame came with `params` or
                `tables`, which belong to SQL.
        """
        with self._sessions.composed(query, params, tables) as (frame, lease):
            return compiled(frame, lease, self._tables)

    def execute(self, artifact: PlanArtifact, **tables: Any) -> Result:
        """Return the rows of a compiled query, over the tables' versions of then.

        Args:
            artifact: From `compile`, of this or another process.
            **tables: The data that it was compiled with, by name.

        Raises:
            EngineVersionError: It was planned by another major version of the engine.
            FunctionError: A function that it calls is missing, or was changed.
            SettingError: A setting that can change its result has another value.
            QueryError: It cannot be planned again, or plans as another query.
            DeltaError: A table, or its version of then, is gone.
        """
        run = self._sessions.pinned(artifact.inputs)
        with self._sessions.lease(run) as lease:
            frame = planned_again(artifact, lease, run.tables, self._lakes, tables)
            reading = bound(frame, lease, run.tables)
        return Result(reading.frame, f"executing plan {artifact.plan_hash[:12]}")

    def write(
        self,
        artifact: PlanArtifact,
        table: str,
        *,
        mode: WriteMode = "overwrite",
        schema_mode: SchemaMode = "strict",
        partition_by: Sequence[str] | None = None,
        merge: Merge | None = None,
        **tables: Any,
    ) -> Materialization:
        """Write the rows of a compiled query to a table of the lake, in one commit.

        Rows, checks and the commit are those of an asset that returns the query.

        Args:
            artifact: As in `execute`.
            table: Its name in SQL: `marts.routes` is the asset key `marts/routes`.
            mode: What happens to rows that are there.
            schema_mode: What happens where the columns differ.
            partition_by: Columns to divide a new table's files by.
            merge: What mode `merge` does.
            **tables: As in `execute`.

        Raises:
            LocationError: There is no lake, or no table can have this name.
            DeltaError: The write was refused; nothing was written.
            DfSessionError: As `execute`; nothing was written.
        """
        _check_one_of("mode", mode, get_args(WriteMode))
        _check_one_of("schema mode", schema_mode, get_args(SchemaMode))
        if not self._lakes:
            raise LocationError(
                "this session has no lake to write to; open it with a root_uri"
            )
        with (
            contextlib.closing(self._sessions.alone()) as run,
            self._sessions.lease(run) as lease,
        ):
            key = asset_key(lease.named(table), self.plan.catalog.default_schema)
            target = Target(
                key=key,
                location=self._lakes[0].table(key),
                mode=mode,
                schema_mode=schema_mode,
                partition_by=None if partition_by is None else tuple(partition_by),
                merge=merge,
            )
            frame = planned_again(artifact, lease, run.tables, self._lakes, tables)
            made = materialize_hooked(frame, target, run.tables, lease)
        self._tables.written(target.key, target.location, made.written.version)
        return made

    def explain(
        self,
        query: str | DataFrame,
        *,
        level: Level = "plan",
        params: Mapping[str, Any] | None = None,
        **tables: Any,
    ) -> str:
        """Return the plans of a query as text, over the files that it needs.

        Args:
            query: As in `compile`.
            level: `plan`, or `analyze`: run it, and say what each operator took.
            params: As in `sql`.
            **tables: As in `sql`.

        Raises:
            QueryError: The query does not plan, or fails, or there is no such level.
        """
        _check_one_of("level", level, get_args(Level))
        with self._sessions.composed(query, params, tables) as (frame, lease):
            return explanation(frame, lease, self._tables, analyze=level == "analyze")

    def close(self) -> None:
        """Drop the sessions and their spill directories; read results before that.

        Used again, it starts anew, and reads the newest versions.
        """
        self._sessions.close()

    @property
    def _tables(self) -> RunTables:
        return self._sessions.current.tables

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        lake = ", ".join(str(each.root) for each in self._lakes) or "no lake"
        return f"<LakeSession {self.plan.name!r} over {lake}>"


def _check_one_of(what: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        said = f"there is no {what} {given!r}; known: {listing(known)}."
        raise QueryError(said + did_you_mean(given, known))
