"""Histories: each row of a frame, as the end of one version and the start of another.

A frame's row is given to the merge twice. As an end it meets the current version of its
key if that differs, and closes it; as a start it meets that version if it does not
differ, else nothing, and is inserted. So one commit does both, in one pass.
"""

import datetime as dt
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import pyarrow as pa

from dagster_dfsession.delta.literals import sql_literal
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.merges import Clause, Scd2
from dagster_dfsession.delta.sides import differing, source, target
from dagster_dfsession.errors import (
    CommitError,
    SchemaMismatchError,
    did_you_mean,
    listing,
)
from dagster_dfsession.plan.quoting import quoted_literal

STARTS = "__dfsession_starts"
"""Column of the staged rows: whether the row is a start; else it is an end."""

RUN_START = pa.timestamp("us", tz="UTC")

_LATE = re.compile(r"<dfsession<(.*)>dfsession>", re.DOTALL)


def check_history(merge: Scd2, frame: pa.Schema) -> None:
    """Refuse names that do not fit the frame.

    Raises:
        SchemaMismatchError: A column named is missing, is there already, or is no time.
    """
    named = [*(merge.tracked or ()), *filter(None, [merge.effective])]
    for name in named:
        if name not in frame.names:
            raise SchemaMismatchError(
                f"the merge names the column {name!r}, which the frame lacks; it has "
                f"{listing(frame.names)}.{did_you_mean(name, frame.names)}"
            )
    own = [name for name in merge.own_columns if name != merge.effective]
    if taken := sorted({*own} & {*frame.names}):
        raise SchemaMismatchError(
            f"the frame has the columns {listing(taken)}, which the merge fills itself;"
            " leave them out, or name its own with valid_from, valid_to and is_current"
        )
    if len({*merge.own_columns}) < len(merge.own_columns):
        raise SchemaMismatchError(
            f"valid_from, valid_to and is_current name {list(merge.own_columns)}; give "
            "each a name of its own"
        )
    found = _time_type(merge, frame)
    if not (pa.types.is_timestamp(found) or pa.types.is_date(found)):
        raise SchemaMismatchError(
            f"the merge takes the time from {merge.effective!r}, which is of type "
            f"{found}; cast it to a timestamp or a date"
        )


def history_columns(merge: Scd2, frame: pa.Schema) -> pa.Schema:
    """Return the columns of the table: the frame's, then those of the history."""
    kept = [field for field in frame if field.name not in merge.own_columns]
    found = _time_type(merge, frame)
    own = zip(merge.own_columns, (found, found, pa.bool_()), strict=True)
    return pa.schema([*kept, *(pa.field(name, kind) for name, kind in own)])


def staged_schema(merge: Scd2, frame: pa.Schema) -> pa.Schema:
    """Return the columns of the staged rows."""
    kept = [field for field in frame if field.name != merge.valid_from]
    time = pa.field(merge.valid_from, _time_type(merge, frame))
    return pa.schema([*kept, time, pa.field(STARTS, pa.bool_())])


def staged(
    merge: Scd2,
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    start: dt.datetime,
) -> Iterator[pa.RecordBatch]:
    """Yield each batch twice: as ends, and as starts.

    Raises:
        SchemaMismatchError: A row does not say from when it holds.
    """
    time: pa.Array[Any]
    for batch in batches:
        if merge.effective is None:
            time = pa.repeat(pa.scalar(start, type=RUN_START), batch.num_rows)
        else:
            time = batch.column(merge.effective)
            if time.null_count:
                raise SchemaMismatchError(
                    f"{time.null_count} of {batch.num_rows} rows of a batch are NULL "
                    f"in {merge.effective!r}, which says from when they hold; nothing "
                    "was written. Filter them, or give them a time."
                )
        kept = [batch.column(field.name) for field in list(schema)[:-2]]
        for starts in (False, True):
            which = pa.repeat(pa.scalar(starts), batch.num_rows)
            yield pa.RecordBatch.from_arrays([*kept, time, which], schema=schema)


def history_condition(merge: Scd2, frame: pa.Schema, held: Collection[str]) -> str:
    """Return which current version a staged row meets, as SQL."""
    untracked = {*merge.on, merge.effective}
    every = tuple(name for name in frame.names if name not in untracked)
    differs = differing(merge.tracked or every, held) or "false"
    return f"({source(STARTS)} <> ({differs}))"


def history_clauses(
    merge: Scd2, frame: pa.Schema, start: dt.datetime
) -> Iterator[Clause]:
    """Yield what becomes of ends and starts, and of what the frame lacks."""
    found = _time_type(merge, frame)
    ended = {merge.is_current: "false"}
    own = _ending(merge, source(merge.valid_from), source, found)
    yield Clause(
        when="matched",
        do="update",
        condition=f"NOT {source(STARTS)}",
        set=ended | {merge.valid_to: own},
    )
    kept = {name: source(name) for name in frame.names}
    yield Clause(
        when="not_matched",
        do="insert",
        condition=source(STARTS),
        set=kept
        | {
            merge.valid_from: source(merge.valid_from),
            merge.valid_to: "NULL",
            merge.is_current: "true",
        },
    )
    if merge.close_missing:
        missing = _ending(merge, _literal(start, found), target, found)
        yield Clause(
            when="not_matched_by_source",
            do="update",
            condition=target(merge.is_current),
            set=ended | {merge.valid_to: missing},
        )


def too_early(text: str, table: Location) -> CommitError | None:
    """Return the error that the engine met in `_ending`, or None if it was another."""
    found = _LATE.search(text)
    if found is None:
        return None
    return CommitError(
        f"{table}: {found[1]}; a version cannot end before it begins, and nothing was "
        "written. Merge the changes in the order of their times, and one time a "
        "version."
    )


def _ending(
    merge: Scd2, time: str, side: Callable[[str], str], found: pa.DataType
) -> str:
    """Return the end of a version as SQL that fails where it is not after its start.

    To know that beforehand, the table would have to be read twice: so the cast of a
    sentence to a time ends the merge, and the sentence comes out in its error.
    """
    since = target(merge.valid_from)
    parts = [
        quoted_literal("<dfsession<"),
        *(p for n in merge.on for p in (quoted_literal(f"{n} "), _text(side(n)))),
        quoted_literal(" was to change at "),
        _text(time),
        quoted_literal(", but its current version holds from "),
        _text(since),
        quoted_literal(" on>dfsession>"),
    ]
    late = f"arrow_cast(concat({', '.join(parts)}), {quoted_literal(_name(found))})"
    return f"CASE WHEN {time} > {since} THEN {time} ELSE {late} END"


def _text(expression: str) -> str:
    return f"CAST({expression} AS VARCHAR)"


def _literal(start: dt.datetime, found: pa.DataType) -> str:
    value: dt.date = start
    if pa.types.is_date(found):
        value = start.date()
    elif isinstance(found, pa.TimestampType) and found.tz is None:
        value = start.replace(tzinfo=None)
    return sql_literal(value, "valid_to", found)


def _time_type(merge: Scd2, frame: pa.Schema) -> pa.DataType:
    return RUN_START if merge.effective is None else frame.field(merge.effective).type


def _name(found: pa.DataType) -> str:
    if pa.types.is_date(found):
        return "Date32"
    zoned = isinstance(found, pa.TimestampType) and found.tz is not None
    zone = 'Some("UTC")' if zoned else "None"
    return f"Timestamp(Microsecond, {zone})"
