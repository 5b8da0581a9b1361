"""A session and its inputs as a record has them."""

import contextlib
from collections.abc import Iterator, Sequence

import msgspec
from datafusion import DataFrame

from dagster_dfsession.delta.changes import START, changes
from dagster_dfsession.delta.cursor import Position
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake, open_table
from dagster_dfsession.errors import DeltaError, DfSessionError, RecordError
from dagster_dfsession.materialization.records import (
    InputRecord,
    SessionRecord,
    StatementRecord,
)
from dagster_dfsession.materialization.statements import value_of
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.pool.changed import ChangedTable
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.pool.tables import OpenedTable, RunTables
from dagster_dfsession.profile.codec import parse_profile
from dagster_dfsession.query.identity import PlanIdentity, plan_identity
from dagster_dfsession.replay.materialized import location_of
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.failures import engine_errors
from dagster_dfsession.session.runtime import SessionRuntime

FILES_NAMED = 3


class Reopened(msgspec.Struct, frozen=True):
    """A recorded query, planned again over its inputs as they were.

    Attributes:
        runtime: What the session says of itself now.
        sources: Function -> its text now.
    """

    lease: Lease
    tables: RunTables
    inputs: tuple[OpenedTable, ...]
    runtime: SessionRuntime
    sources: dict[str, str]
    frame: DataFrame
    identity: PlanIdentity


@contextlib.contextmanager
def reopened(
    record: SessionRecord, statement: StatementRecord, lakes: Sequence[Lake]
) -> Iterator[Reopened]:
    """Build the session of a record, and plan its query over the recorded versions.

    Args:
        record: Of the session and the inputs.
        statement: Of the query.
        lakes: In which the inputs are.

    Raises:
        RecordError: A function of the query is gone.
        SessionError: The session cannot be had.
        DeltaError: An input no longer has the recorded version.
        QueryError: The query no longer plans.
    """
    plan = plan_session(parse_profile(record.profile))
    tables = RunTables(plan.catalog.default_schema, delta=plan.delta)
    with (
        open_session(plan, source=tables, label="replay") as session,
        Lease(session, Scope(run_id="replay")) as lease,
    ):
        runtime = session.snapshot()
        _check_functions(record, runtime)
        inputs = tuple(_opened(each, tables, lakes) for each in record.inputs)
        for each, opened in zip(record.inputs, inputs, strict=True):
            if statement.by == "author" and each.narrowing is not None:
                lease.load(opened, each.partitions or None, each.narrowing)
            else:
                tables.add(opened)
        params = {name: value_of(each) for name, each in statement.params.items()}
        frame = lease.sql(statement.sql, params=params)
        with engine_errors("planning the recorded query"):
            identity = plan_identity(frame, runtime, scoped={})
        yield Reopened(lease, tables, inputs, runtime, session.sources, frame, identity)


@contextlib.contextmanager
def explaining_gone_files(inputs: Sequence[OpenedTable]) -> Iterator[None]:
    """Say which data files of the inputs are gone, if that is why the block failed.

    A file that a query does not need may be gone.

    Raises:
        DeltaError: In the place of what was raised, if files are gone.
    """
    try:
        yield
    except DfSessionError as error:
        for each in inputs:
            check_files(each, because=error)
        raise


def check_files(opened: OpenedTable, because: Exception | None = None) -> None:
    """Refuse a version of a table of which data files are gone.

    Raises:
        DeltaError: There are such files; it names the table, the version and them.
    """
    gone = _gone(opened)
    if gone:
        more = len(gone) - FILES_NAMED
        named = ", ".join(gone[:FILES_NAMED]) + (
            f" and {more} more" if more > 0 else ""
        )
        raise DeltaError(
            f"{opened.location}: of version {opened.version}, {len(gone)} data files "
            f"are gone: {named}. They were vacuumed since; keep those that replays "
            "need with vacuum's `replayable: keep`."
        ) from because


def _gone(opened: OpenedTable) -> list[str]:
    if isinstance(opened, ChangedTable):
        read = changes(opened.delta, opened.location, opened.since)
        return list(LakeFiles(opened.location).absent(read.files))
    return opened.files.missing(range(opened.files.count))


def _check_functions(record: SessionRecord, runtime: SessionRuntime) -> None:
    wanted = () if record.query is None else record.query.functions
    origins = {each.name: each.origin for each in record.session.functions.entries}
    have = {*runtime.functions.names}
    for name in wanted:
        if name not in have:
            raise RecordError(
                f"the recorded query calls {name!r} of {origins.get(name)}, which the "
                "modules of its profile no longer declare; bring it back to replay"
            )


def _opened(
    record: InputRecord, tables: RunTables, lakes: Sequence[Lake]
) -> OpenedTable:
    location = location_of(record.uri, lakes)
    delta = open_table(location, record.version)
    if delta is None:
        raise DeltaError(
            f"{location}: there is no table any more; version {record.version} of it "
            f"was the input {record.table!r}"
        )
    opened = OpenedTable(tables.name_of(record.key), record.key, location, delta)
    if record.since is None:
        return opened
    own = str(delta.metadata().id)
    since = None if record.since == START else Position(own, record.since)
    return ChangedTable(opened, since, {})
