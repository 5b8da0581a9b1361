"""The session as a Dagster resource."""

import contextlib
import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster import InitResourceContext
from pydantic import ConfigDict, Field, PrivateAttr

from dagster_dfsession.config.profile import ProfileConfig, changes_of
from dagster_dfsession.config.storage import (
    SecretOptions,
    StorageOptions,
    has_variables,
    resolved,
    resolved_options,
    with_plain_options,
)
from dagster_dfsession.errors import SessionError
from dagster_dfsession.plan.build import SessionPlan, plan_session
from dagster_dfsession.profile.codec import parse_profile
from dagster_dfsession.steps.at_once import steps_at_once
from dagster_dfsession.steps.current import current_scope, current_step

if TYPE_CHECKING:
    from datafusion import DataFrame

    from dagster_dfsession.pool.lease import Lease
    from dagster_dfsession.pool.run import RunSession
    from dagster_dfsession.query.result import Result
    from dagster_dfsession.session.runtime import SessionRuntime
    from dagster_dfsession.session.session import Session
    from dagster_dfsession.telemetry.payloads import SessionTelemetry


class DataFusionSessionResource(dg.ConfigurableResource[Any]):
    """A DataFusion session for each run.

    Every step of a run that asks for it gets a session built from one profile; what
    a step registers carries the run, the step and the attempt in its name, and is
    gone when the step is over. Tables of the lake are found by their asset keys.

    Examples:
        An asset takes it as a parameter.

        >>> import dagster as dg
        >>> @dg.asset
        ... def one(dfsession: DataFusionSessionResource) -> None:
        ...     print(dfsession.sql("SELECT 1 AS one").to_pydict())
        >>> dfsession = DataFusionSessionResource(preset="dev")
        >>> result = dg.materialize([one], resources={"dfsession": dfsession})
        {'one': [1]}
    """

    # A misspelt field is an error, and no error shows what the fields hold.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    # A default that is made by a factory is not part of the config schema, so that a
    # launch which overrides one field leaves the others as they were defined.
    preset: str = Field(
        default_factory=lambda: "default",
        description=(
            "Profile to start from: default, dev, prod, low_memory or reproducible."
        ),
    )
    profile: ProfileConfig | None = Field(  # type: ignore[valid-type]  # generated
        default_factory=lambda: None,
        description=(
            "Changes to the preset, part by part. In the launchpad, what is given here "
            "replaces the changes of the definition as a whole."
        ),
    )
    udfs: list[str] = Field(
        default_factory=list,
        description="Modules that declare functions: 'my_project.udfs'.",
    )
    extensions: list[str] = Field(
        default_factory=list,
        description="Extensions of the engine: 'package' or 'package:factory'.",
    )
    root_uri: str | None = Field(
        default_factory=lambda: None,
        description=(
            "Lake in which asset keys are looked up: a directory or an address such as "
            "s3://bucket/lake. Not needed beside a DataFusionDeltaIOManager."
        ),
    )
    storage_options: StorageOptions = SecretOptions(
        "Options of the storage, as deltalake takes them. Use EnvVar for secrets."
    )

    _run: Any = PrivateAttr(default=None)
    _lake: Any = PrivateAttr(default=None)

    if not TYPE_CHECKING:  # there, the fields are the signature

        def __init__(self, **fields: Any) -> None:
            """Refuse a profile that cannot be planned, where it is written down.

            Raises:
                ProfileError: There is no such preset, or a part of the profile is
                    wrong.
            """
            # Not in `model_post_init`: pydantic makes its own error of a ValueError.
            # What has a value is shown in the launchpad.
            super().__init__(**{"preset": "default", **with_plain_options(fields)})
            said = [self.preset, self.udfs, self.extensions, self.profile]
            if not has_variables(said):
                self.plan()

    def plan(self) -> SessionPlan:
        """Return what a session of this resource will be built from.

        Raises:
            ProfileError: There is no such preset, or a part of the profile is wrong.
            SessionError: An environment variable is not set.
        """
        changes = changes_of(self.profile, self.udfs, self.extensions)
        preset: str = resolved(self.preset, "preset")
        return plan_session(parse_profile(changes, base=preset))

    @contextlib.contextmanager
    def yield_for_execution(
        self, context: InitResourceContext
    ) -> Iterator["DataFusionSessionResource"]:
        """Hold the session of the run for as long as Dagster needs the resource."""
        # The engine is imported here: a code server or a sensor has no use for it.
        from dagster_dfsession.delta.location import Lake  # noqa: PLC0415
        from dagster_dfsession.pool.cache import PROCESS_SESSIONS  # noqa: PLC0415

        dagster_run = context.run
        plan, options = self.plan(), resolved_options(self.storage_options)
        root_uri: str | None = resolved(self.root_uri, "root_uri")
        lake = None if root_uri is None else Lake(root_uri, options)
        run_id = dagster_run.run_id if dagster_run else f"adhoc{uuid.uuid4().hex}"
        tags = dagster_run.tags if dagster_run else {}
        counted = partial(steps_at_once, in_run=dagster_run is not None)
        with PROCESS_SESSIONS.cache.of_run(
            plan, run_id, tags=tags, log=context.log, steps_at_once=counted
        ) as run:
            if lake is not None:
                run.tables.add_lake(lake)
            self._run, self._lake = run, lake
            try:
                yield self
            finally:
                self._run = None

    @property
    def run(self) -> "RunSession":
        """The session of the run and its tables.

        Raises:
            SessionError: Dagster has not set the resource up, or is done with it.
        """
        if self._run is None:
            raise SessionError(
                "the session resource is not set up: use it as a parameter of an asset,"
                " an op, a check or a sensor; outside Dagster use "
                "open_session(resource.plan())"
            )
        run: RunSession = self._run
        return run

    @property
    def lease(self) -> "Lease":
        """The session as lent to the step that is running."""
        run, step = self.run, current_step()
        if step is not None:
            from dagster_dfsession.steps.views import tell_location  # noqa: PLC0415

            tell_location(run, step)
        return run.lease(current_scope(run.run_id))

    def session(self) -> "Session":
        """Return the session itself, shared by all steps of the run in this process."""
        return self.lease.session

    def snapshot(self) -> "SessionRuntime":
        """Return what the session says of itself: settings, functions, hashes."""
        return self.session().snapshot()

    def telemetry(self, version: int = 1) -> "SessionTelemetry":
        """Return what sinks are told of the session."""
        return self.session().telemetry(version)

    def sql(
        self, query: str, *, params: Mapping[str, Any] | None = None, **tables: Any
    ) -> "DataFrame":
        """Plan a query over the lake's tables and those given here; nothing runs yet.

        Args:
            query: SQL; `$name` stands for a value of `params`.
            params: Values by name: bound by the engine, never formatted into the text.
            **tables: Frames or Arrow data by the names that the query calls them.

        Raises:
            QueryError: The engine, or the profile's SQL policy, refused the query.
        """
        from dagster_dfsession.pool.asking import plan_query  # noqa: PLC0415

        return plan_query(query, self.run, self.lease, params=params, tables=tables)

    def prepared(self, name: str, *values: Any) -> "DataFrame":
        """Plan a prepared statement of the profile with its values, as `sql` does.

        Raises:
            QueryError: There is no such statement, or a value is not of its type.
        """
        from dagster_dfsession.pool.prepared import plan_prepared  # noqa: PLC0415

        return plan_prepared(name, values, self.run, self.lease)

    def stream(
        self,
        query: "str | DataFrame",
        *,
        params: Mapping[str, Any] | None = None,
        **tables: Any,
    ) -> "Result":
        """Return the rows of a query as they come: to read, to write, to cancel.

        Only the files that it needs are read; of a frame that is collected by its own
        methods, all are.

        Args:
            query: As in `sql`, or a frame of this session.
            params: As in `sql`.
            **tables: As in `sql`.

        Raises:
            QueryError: The engine, or the profile's SQL policy, refused the query.
        """
        # The engine is imported here: a code server or a sensor has no use for it.
        from dagster_dfsession.pool.asking import read_query  # noqa: PLC0415

        return read_query(query, self.run, self.lease, params=params, tables=tables)

    def table(
        self,
        name: str,
        *,
        version: int | None = None,
        timestamp: str | dt.datetime | None = None,
    ) -> "DataFrame":
        """Return a table by its name in SQL: `flights`, `raw.flights`.

        Args:
            name: The table.
            version: Read it as it was at this version. Then it is an input called
                `flights@3`, also in queries of the step: `FROM "flights@3"`.
            timestamp: Read it as it was at this time, which has a time zone.

        Raises:
            TableNotFoundError: There is none.
            DeltaError: It has no such version.
        """
        if version is None and timestamp is None:
            return self.lease.table(name)
        # The engine is imported here: a code server or a sensor has no use for it.
        from dagster_dfsession.pool.versions import table_as_of  # noqa: PLC0415

        return table_as_of(
            name, self.lease, self.run.tables, version=version, timestamp=timestamp
        )

    def register(self, name: str, data: Any) -> str:
        """Make data known to the queries of this step; return its run-scoped name.

        Raises:
            UnsupportedTypeError: The engine cannot read this type.
        """
        full = self.lease.register(name, data)
        self.run.names_changed()
        return full

    def materialize(self, value: Any) -> dg.MaterializeResult[None]:
        """Write the table of the asset that is running; for use without an IO manager.

        The table goes below `root_uri`, by the rules of `DataFusionDeltaIOManager`.

        Raises:
            SessionError: There is no `root_uri`, or no asset is running.
            DfSessionError: The value could not be computed or written; nothing was.
        """
        from dagster_dfsession.steps.publish import publish_running_asset  # noqa: PLC0415

        return publish_running_asset(
            value, run=self.run, lease=self.lease, lake=self._lake
        )

    def __repr__(self) -> str:
        return f"DataFusionSessionResource(preset={self.preset!r}, udfs={self.udfs!r})"

    __str__ = __repr__
