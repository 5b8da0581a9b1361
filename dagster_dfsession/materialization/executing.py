"""From an artifact back to a query, in a session that has to fit it."""

from collections.abc import Collection, Mapping
from typing import Any

from datafusion import DataFrame

from dagster_dfsession.delta.location import Lake, Location, open_table
from dagster_dfsession.delta.protocol import check_protocol
from dagster_dfsession.errors import (
    DeltaError,
    EngineVersionError,
    FunctionError,
    LocationError,
    QueryError,
    SettingError,
    listing,
)
from dagster_dfsession.materialization.artifact import PinnedTable, PlanArtifact
from dagster_dfsession.materialization.records import StatementRecord
from dagster_dfsession.materialization.statements import value_of
from dagster_dfsession.plan.classification import result_settings
from dagster_dfsession.pool.inputs import Narrowing
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.tables import OpenedTable, RunTables
from dagster_dfsession.profile.delta import DeltaProfile
from dagster_dfsession.query.identity import neutral_name, plan_identity
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.session.catalog import TableName, table_name
from dagster_dfsession.session.failures import engine_errors
from dagster_dfsession.session.runtime import SessionRuntime

AGAIN = "Compile the query again, or run it where it was compiled."


def planned_again(
    artifact: PlanArtifact,
    lease: Lease,
    tables: RunTables,
    lakes: Collection[Lake],
    data: Mapping[str, Any],
) -> DataFrame:
    """Return the query of an artifact, if this session runs it as it was planned.

    Args:
        artifact: The query.
        lease: Of a session that looks names up in `tables`.
        tables: Where the artifact's tables go, at the versions of then.
        lakes: What opens them.
        data: What the artifact calls data, by name.

    Raises:
        EngineVersionError: It was planned by an engine of another major version.
        FunctionError: A function that it calls is missing here, or is another.
        SettingError: A setting that can change its result has another value here.
        QueryError: It has no SQL, other data was given, or it plans as another query.
        LocationError: A table is below the root of none of the lakes.
        DeltaError: A table, or its version, is gone, or another one is in its place.
    """
    statement = _statement(artifact)
    session = lease.session.snapshot()
    _check_engine(artifact, session)
    _check_functions(artifact, session)
    _check_settings(artifact, session)
    _check_names(artifact, data)
    for each in artifact.inputs:
        name = table_name(each.key, lease.session.plan.catalog.default_schema)
        opened = tables.opened(name)
        if opened is None:
            location = _location(each, lakes)
            opened = _opened(each, name, location, lease.session.plan.delta)
            tables.add(opened)
        if each.given and statement.by == "author":
            lease.load(opened, None, Narrowing())
    frame = lease.sql(
        statement.sql,
        params={name: value_of(each) for name, each in statement.params.items()},
        tables=data,
    )
    _check_data(artifact, lease)
    if session.versions.engine == artifact.engine.engine:
        _check_plan(artifact, frame, session, lease)
    return frame


def _opened(
    each: PinnedTable, name: TableName, location: Location, delta_profile: DeltaProfile
) -> OpenedTable:
    delta = open_table(location, each.version)
    if delta is None:
        raise DeltaError(
            f"{location}: the query was planned over version {each.version} of this "
            f"table, which is not there any more. {AGAIN}"
        )
    if str(delta.metadata().id) != each.id:
        raise DeltaError(
            f"{location}: the query was planned over another table at this address; "
            f"the one that is there now was made anew. {AGAIN}"
        )
    check_protocol(delta, location, delta_profile, writing=False)
    return OpenedTable(name, each.key, location, delta)


def _location(each: PinnedTable, lakes: Collection[Lake]) -> Location:
    for lake in lakes:
        if each.uri.startswith(f"{lake.root.uri.rstrip('/')}/"):
            return Location(each.uri, lake.root.storage_options)
    raise LocationError(
        f"the query was planned over {each.uri}, which is below none of the roots "
        f"that this session has: {listing(lake.root.uri for lake in lakes)}. Open the "
        "session with the root_uri of that table."
    )


def _statement(artifact: PlanArtifact) -> StatementRecord:
    if isinstance(artifact.statement, str):
        raise QueryError(
            f"the artifact cannot be executed: {artifact.statement}. Compile the "
            "query from its SQL, with parameters for values and names for data."
        )
    return artifact.statement


def _check_engine(artifact: PlanArtifact, session: SessionRuntime) -> None:
    planned, here = artifact.engine.engine, session.versions.engine
    if planned.partition(".")[0] != here.partition(".")[0]:
        raise EngineVersionError(
            f"the query was planned by DataFusion {planned}, and this process has "
            f"{here}: another major version may plan it otherwise. {AGAIN}"
        )


def _check_functions(artifact: PlanArtifact, session: SessionRuntime) -> None:
    here = {entry.name: entry.digest for entry in session.functions.entries}
    for name, digest in sorted(artifact.functions.items()):
        if name not in here:
            raise FunctionError(
                f"the query calls {name!r}, which this session does not have; it has "
                f"{listing(here)}. Name the module that declares it: udfs=[...]."
            )
        if here[name] != digest:
            raise FunctionError(
                f"{name!r} is not the function that the query was planned with: its "
                f"digest is {_short(here[name])} here, and was {_short(digest)}. "
                f"{AGAIN}"
            )


def _check_settings(artifact: PlanArtifact, session: SessionRuntime) -> None:
    here = result_settings(session.settings)
    for key in sorted({*here, *artifact.result_settings}):
        was, now = artifact.result_settings.get(key), here.get(key)
        if was != now:
            error = SettingError(
                f"{key} = {now!r} here, and was {was!r} where the query was planned; "
                f"it can change the result. Set it in the profile: settings: {{{key}: "
                f"{was!r}}}, or compile the query again."
            )
            error.key, error.suggestion = key, None
            raise error


def _check_names(artifact: PlanArtifact, data: Mapping[str, Any]) -> None:
    if set(data) != set(artifact.data):
        raise QueryError(
            f"the query reads data called {listing(artifact.data)}, and was given "
            f"{listing(data)}; pass each by its name: execute(artifact, name=data)"
        )


def _check_data(artifact: PlanArtifact, lease: Lease) -> None:
    for full, name in lease.names.items():
        was, now = artifact.data.get(name), lease.digests.get(full)
        if was is not None and was != now:
            raise QueryError(
                f"the data called {name!r} is not what the query was planned with: "
                f"its rows' digest is {_short(now)}, and was {_short(was)}. {AGAIN}"
            )


def _check_plan(
    artifact: PlanArtifact, frame: DataFrame, session: SessionRuntime, lease: Lease
) -> None:
    scoped = {name: neutral_name(short) for name, short in lease.names.items()}
    with engine_errors("executing an artifact"):
        found = plan_identity(frame, session, scoped=scoped)
    columns = tuple((field.name, str(field.type)) for field in Planned(frame).schema)
    if artifact.variable and columns == artifact.columns:
        return  # of `now()`, each plan has another value
    if found.plan_hash != _statement(artifact).plan_hash:
        raise QueryError(
            "the query plans as another one here than it did when it was compiled, so "
            f"it could return something else. {AGAIN} Its plan is now:\n{found.text}"
        )


def _short(digest: str | None) -> str:
    return "unknown" if digest is None else digest[:12]
