"""The replay itself: run the recorded query, write it elsewhere, compare."""

import tempfile
from collections.abc import Iterator, Sequence

from datafusion.catalog import Table
from deltalake import DeltaTable

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.merges import Custom, Merge
from dagster_dfsession.errors import RecordError
from dagster_dfsession.materialization.materialize import materialize
from dagster_dfsession.materialization.records import (
    STATEMENT_UNKNOWN,
    Change,
    SessionRecord,
    session_changes,
)
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.plan.build import SessionPlan, plan_session
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.profile.presets import DEFAULT
from dagster_dfsession.query.identity import variable_builtins
from dagster_dfsession.replay.comparison import Comparison, compared
from dagster_dfsession.replay.differences import (
    FunctionChange,
    split_changes,
    text_difference,
)
from dagster_dfsession.replay.materialized import (
    Materialized,
    location_of,
    read_record,
)
from dagster_dfsession.replay.reopened import (
    Reopened,
    explaining_gone_files,
    reopened,
)
from dagster_dfsession.replay.written import Written, find_written
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.functions.snapshot import functions_in_plan

PREFIX = "dfsession_replay_"


class Replayed(Frozen, frozen=True, kw_only=True):
    """What a materialization gives when it is run again.

    Attributes:
        version: Of the table that was compared with.
        variable: Why the rows could differ though nothing changed; empty if nothing.
        plan_is_same: Whether the query is proven to be the recorded one, its functions
            and the settings that matter included.
        plan: What its plan has become, as a unified diff; empty where it is the same.
        changes: Settings, versions and inputs that are not what they were.
        functions: User functions that are not.
        configured: What a session as it is configured now would have otherwise still;
            the replay's own is built from the record.
        rows: The rows that were written against those that came now.
    """

    materialized: Materialized
    version: int
    variable: tuple[str, ...]
    plan_is_same: bool
    plan: str
    changes: tuple[Change, ...]
    functions: tuple[FunctionChange, ...]
    configured: tuple[Change, ...] = ()
    rows: Comparison


def replay(
    made: Materialized, lakes: Sequence[Lake], *, configured: SessionPlan | None = None
) -> Replayed:
    """Run a recorded query again, and compare its rows with those that were written.

    The session is built from the record's profile, the inputs are opened at the
    recorded versions. What the run did to its table is done to a temporary one: rows
    are typed, partitioned, appended or merged by the same code. The lake is only read.

    Args:
        made: From Dagster's event log.
        lakes: In which the table, its record and its inputs are.
        configured: What sessions of the asset are built from now, to be held against
            the record. None: nobody asks.

    Raises:
        RecordError: There is no record, it is damaged, or it says why it cannot be
            replayed.
        DeltaError: A recorded version, or a data file of it, is gone.
        DfSessionError: The session cannot be had any more, or the query fails.
    """
    record = read_record(made, lakes)
    query, how = record.query, record.written
    statement = None if query is None else query.statement
    if query is None or how is None or statement is None or record.not_replayable:
        why = record.not_replayable or STATEMENT_UNKNOWN
        raise RecordError(f"{made} cannot be replayed: {why}")
    written = find_written(made, how, location_of(made.uri, lakes))
    with reopened(record, statement, lakes) as again:
        rows = _rows(made, written, again)
        changes = (
            *session_changes(record.session, again.runtime),
            *_inputs(record, again),
        )
        rest, functions = split_changes(changes, record.sources, again.sources)
        same = again.identity.plan_hash == statement.plan_hash
        return Replayed(
            materialized=made,
            version=written.table.version(),
            variable=(*query.variable, *_volatile_clauses(how.merge)),
            plan_is_same=same,
            plan="" if same else text_difference(query.plan, again.identity.text),
            changes=rest,
            functions=functions,
            configured=tuple(
                each for each in _configured(record, configured) if each not in changes
            ),
            rows=rows,
        )


def _configured(record: SessionRecord, plan: SessionPlan | None) -> tuple[Change, ...]:
    if plan is None:
        return ()
    with open_session(plan, label="replay") as session:
        return session_changes(record.session, session.snapshot())


def _rows(made: Materialized, written: Written, again: Reopened) -> Comparison:
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX) as place,
        open_session(plan_session(DEFAULT), label="replay") as comparing,
    ):
        how = written.how
        location, ctx = Lake(place).table(how.key), comparing.ctx
        then = written.rows(ctx)
        written.prepare(location)
        target = Target(
            key=how.key,
            location=location,
            partitions=how.partitions,
            partition_keys=how.partition_keys,
            partition_by=how.partition_by,
            mode=how.mode,
            schema_mode=how.schema_mode,
            merge=how.merge,
            run_start=made.run_start,
        )
        with explaining_gone_files(again.inputs):
            materialize(again.frame, target, again.tables, again.lease)
        now = ctx.read_table(Table(DeltaTable(location.uri)))
        return compared(then, now, written.schema)


def _volatile_clauses(merge: Merge | None) -> Iterator[str]:
    """Return the functions in clauses of a merge that give each run something else."""
    if isinstance(merge, Custom):
        said = (
            sql
            for clause in merge.clauses
            for sql in (clause.condition, *(clause.set or {}).values())
        )
        called = functions_in_plan(" ".join(filter(None, said)), variable_builtins())
        yield from (f"{name} in a clause of the merge" for name in called)


def _inputs(record: SessionRecord, again: Reopened) -> Iterator[Change]:
    """Return the inputs that have other rows at the same version."""
    for each, opened in zip(record.inputs, again.inputs, strict=True):
        content = opened.content(each.partitions or None)
        if content != each.data_version:
            yield Change(
                what=f"content of input {each.table}",
                before=each.data_version,
                after=content,
            )
