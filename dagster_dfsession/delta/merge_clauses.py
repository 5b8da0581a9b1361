"""What a merge does with which rows, in SQL."""

import datetime as dt
from collections.abc import Iterator, Sequence

import msgspec
import pyarrow as pa

from dagster_dfsession.delta.absent import ABSENT, by_presence
from dagster_dfsession.delta.merges import (
    Clause,
    Custom,
    DeleteMatched,
    FullSync,
    InsertOnly,
    Merge,
    Scd2,
    Upsert,
)
from dagster_dfsession.delta.predicate import Predicate, columns, to_sql
from dagster_dfsession.delta.scd2 import history_clauses, history_condition
from dagster_dfsession.delta.sides import TARGET, differing, source, target
from dagster_dfsession.errors import (
    PartitionError,
    SchemaMismatchError,
    did_you_mean,
    listing,
)


def match_condition(
    merge: Merge,
    frame: pa.Schema,
    held: pa.Schema,
    predicate: Predicate | None,
    *,
    marked: bool,
) -> str:
    """Return which row of the table a row of the frame meets, as SQL.

    Args:
        merge: By what they meet.
        frame: The columns of the frame.
        held: The columns of the table.
        predicate: The rows of the table that the run owns; no other is met.
        marked: Whether absent keys are among the rows of the frame.
    """
    parts = [f"{target(name)} = {source(name)}" for name in merge.on]
    if isinstance(merge, Scd2):
        meets = history_condition(merge, frame, held.names)
        parts.append(target(merge.is_current))
        parts.append(f"({source(ABSENT)} OR {meets})" if marked else meets)
    if predicate is not None:
        parts.append(to_sql(predicate, held, TARGET))
    return " AND ".join(parts)


def clauses_of(
    merge: Merge,
    frame: pa.Schema,
    held: pa.Schema,
    predicate: Predicate | None,
    start: dt.datetime,
    *,
    marked: bool,
) -> tuple[Clause, ...]:
    """Return what becomes of the rows, in order; `set` is given wherever rows stay.

    Args:
        merge: What to do.
        frame: The columns of the frame.
        held: The columns of the table.
        predicate: The rows of the table that the run owns; none leaves or enters.
        start: When the run started.
        marked: Whether absent keys are among the rows of the frame.

    Raises:
        SchemaMismatchError: A clause sets a column that there is not.
        PartitionError: A clause sets a column that says whose a row is.
    """
    deciding = frozenset() if predicate is None else columns(predicate)
    if isinstance(merge, Custom):
        stored = [name for name in frame.names if name not in merge.source_only]
        found = [_completed(clause, stored, held, deciding) for clause in merge.clauses]
    elif isinstance(merge, Scd2):
        found = list(history_clauses(merge, frame, start))
    else:
        found = list(_simple(merge, frame, held))
    return tuple(by_presence(found) if marked else found)


def _simple(
    merge: Upsert | InsertOnly | DeleteMatched | FullSync,
    frame: pa.Schema,
    held: pa.Schema,
) -> Iterator[Clause]:
    if isinstance(merge, DeleteMatched):
        yield Clause(when="matched", do="delete")
        return
    others = [name for name in frame.names if name not in merge.on]
    if others and not isinstance(merge, InsertOnly):
        # Rows that are as the frame has them leave their file as it is.
        yield Clause(
            when="matched",
            do="update",
            condition=differing(others, held.names),
            set={name: source(name) for name in others},
        )
    yield Clause(
        when="not_matched",
        do="insert",
        set={name: source(name) for name in frame.names},
    )
    if isinstance(merge, FullSync):
        yield Clause(when="not_matched_by_source", do="delete")


def _completed(
    clause: Clause, stored: Sequence[str], held: pa.Schema, deciding: frozenset[str]
) -> Clause:
    if clause.do == "delete":
        return clause
    every = {name: source(name) for name in stored}
    if clause.set is None:
        return msgspec.structs.replace(clause, set=every)
    known = sorted({*held.names, *stored})
    for name, sql in clause.set.items():
        if name not in known:
            raise SchemaMismatchError(
                f"a clause sets {name!r}, which neither the table nor the frame has; "
                f"there is {listing(known)}.{did_you_mean(name, known)}"
            )
        plain = {source(name), f"source.{name}"}
        if name in deciding and sql.strip() not in plain:
            raise PartitionError(
                f"a clause sets {name!r} to {sql!r}, but by {name!r} rows belong to a "
                "partition, and a run may not move them to another. Leave it out: rows "
                "of the frame keep theirs."
            )
    kept = {name: every[name] for name in deciding} if clause.do == "insert" else {}
    return msgspec.structs.replace(clause, set=kept | clause.set)
