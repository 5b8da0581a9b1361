"""Whether a session that is configured now would make what a recorded one made."""

from dagster_dfsession.materialization.records import (
    Change,
    QueryRecord,
    SessionRecord,
    session_changes,
)
from dagster_dfsession.plan.classification import changes_results
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.session.functions.snapshot import functions_in_plan
from dagster_dfsession.session.runtime import SessionRuntime


class SessionDrift(Frozen, frozen=True):
    """How the session of a record differs from another one.

    Attributes:
        deciding: What can change the rows of the recorded query, and so its plan hash:
            settings that change results, functions that it calls.
        neutral: All else.
    """

    deciding: tuple[Change, ...] = ()
    neutral: tuple[Change, ...] = ()


def session_drift(record: SessionRecord, now: SessionRuntime) -> SessionDrift:
    """Hold the session of a record against that of now.

    Rows that did not come from a query of the engine depend on no session, as far as
    anybody can tell: nothing decides over them.

    Args:
        record: Of a materialization.
        now: What a session says of itself.
    """
    decides = _decisive(record, now)
    changes = session_changes(record.session, now)
    return SessionDrift(
        deciding=tuple(each for each in changes if each.what in decides),
        neutral=tuple(each for each in changes if each.what not in decides),
    )


def _decisive(record: SessionRecord, now: SessionRuntime) -> set[str]:
    if record.query is None:
        return set()
    called = _called(record.query, now)
    before, after = (
        {each.name: each.digest for each in session.functions.used(called)}
        for session in (record.session, now)
    )
    functions = {
        f"function {name}"
        for name in {*before, *after}
        # That a function has no digest is no difference, that it is gone is one.
        if before.get(name, "") != after.get(name, "")
    }
    settings = {*record.session.settings, *now.settings}
    return functions | {key for key in settings if changes_results(key)}


def _called(query: QueryRecord, now: SessionRuntime) -> set[str]:
    """Return the functions of a query, and those of now that it would call instead.

    A function that the profile declares goes before one of the engine.
    """
    statement = "" if query.statement is None else query.statement.sql
    calls = f"{query.plan}\n{statement}"
    return {*query.functions, *functions_in_plan(calls, now.functions.names)}
