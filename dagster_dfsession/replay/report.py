"""A replay in words."""

import textwrap
from collections.abc import Iterable, Iterator

import msgspec

from dagster_dfsession.materialization.records import Change
from dagster_dfsession.replay.again import Replayed
from dagster_dfsession.replay.comparison import TOLERANCE, Comparison, RowsOnly
from dagster_dfsession.replay.differences import FunctionChange


def replay_report(replayed: Replayed) -> str:
    """Return what became of a replay, for people; the verdict comes last."""
    return "\n".join(_lines(replayed))


def change_lines(title: str, changes: Iterable[Change]) -> Iterator[str]:
    """Yield changes as lines below a title; nothing where there is none.

    Examples:
        >>> print(*change_lines("session", [Change(what="a", before="1", after="2")]))
        session   - a = 1   + a = 2
    """
    found = list(changes)
    if found:
        yield title
    for each in found:
        for sign, value in (("-", each.before), ("+", each.after)):
            if value is not None:
                yield f"  {sign} {each.what} = {value}"


def function_lines(functions: Iterable[FunctionChange]) -> Iterator[str]:
    """Yield functions that changed, with what changed in their text."""
    for each in functions:
        yield f"function {each.name}"
        for sign, value in (("-", each.before), ("+", each.after)):
            if value is not None:
                yield f"  {sign} {value}"
        yield from textwrap.indent(each.source, "  ").splitlines()


def _lines(replayed: Replayed) -> Iterator[str]:
    yield f"{replayed.materialized}, version {replayed.version} of the table"
    if replayed.variable:
        yield (
            "The query need not give the same rows twice: "
            f"{', '.join(replayed.variable)}."
        )
    yield from change_lines("then and now", replayed.changes)
    yield from function_lines(replayed.functions)
    yield from change_lines(
        "configured now, and not used: the session is that of the record",
        replayed.configured,
    )
    if not replayed.plan_is_same:
        yield "the query is not proven to be the recorded one"
        yield from textwrap.indent(
            replayed.plan or "its plan reads the same: see the settings and functions",
            "  ",
        ).splitlines()
    yield from _rows(replayed.rows)
    explained = replayed.changes or replayed.functions or replayed.variable
    if replayed.rows.outcome == "different" and not explained:
        yield (
            "Session, query and inputs are those of the record: the files of the table "
            "were changed, or a function reads what its digest does not cover"
        )


def _rows(rows: Comparison) -> Iterator[str]:
    if rows.outcome == "equal":
        yield f"equal: {rows.now.total:,} rows"
        return
    for title, side in (("only then", rows.then), ("only now", rows.now)):
        yield from _only(title, side)
    if rows.outcome == "close":
        yield (
            f"equal but for the last digits of floats: {rows.now.count:,} of "
            f"{rows.now.total:,} rows differ by {TOLERANCE} at most, relative. The "
            "order in which an engine adds floats up is open"
        )
    else:
        yield (
            f"different: {rows.then.count:,} of {rows.then.total:,} rows only then, "
            f"{rows.now.count:,} of {rows.now.total:,} only now"
        )


def _only(title: str, side: RowsOnly) -> Iterator[str]:
    if side.count:
        yield f"{title}: {side.count:,} of {side.total:,} rows"
    for row in side.first:
        yield f"  {msgspec.json.encode(row).decode()}"
    if side.count > len(side.first):
        yield f"  and {side.count - len(side.first):,} more"
