"""The same query over other tables of the same names.

A query is composed over tables that keep their names in its plan. To run, it is
planned again with the names bound to scans of chosen files. A frame that nobody has
the text of is written as SQL by the engine first; then it must be proven that the text
means the same, because some plans lose something on the way.
"""

import contextlib
import functools
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
from datafusion import DataFrame, SessionContext, col
from datafusion.catalog import Table

from dagster_dfsession.errors import QueryError
from dagster_dfsession.query.carried import CARRIED, carries_functions
from dagster_dfsession.query.certainty import unparsed
from dagster_dfsession.query.identity import neutral
from dagster_dfsession.query.meaning import meaning_of
from dagster_dfsession.query.plain import plain_schema
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.session.catalog import TableName
from dagster_dfsession.session.failures import engine_errors
from dagster_dfsession.session.session import Session

GENERATED = re.compile(r"__\w+?_\d+|\balias\d+\b|\bderived_\w+\b")
"""Names that the engine makes up, and numbers by their order."""
TWICE_NAMED = re.compile(r" AS (?:\w+\([^()]*\)|\"[^\"]*\")(?= AS )")
"""A name that is at once replaced by another, as in `count(*) AS count(*) AS n`."""

ALIAS = re.compile(r" *SubqueryAlias: ")
CONDITIONS = re.compile(r"( *Filter: )(.*)( \[[^\[\]]*\])")
"""A filter with the columns of its rows, which a schema puts at its end."""
OTHER_AND = re.compile(r" OR | BETWEEN ")
TEXT = re.compile(r"\(\".*?\"\)", re.DOTALL)
"""A literal; ` AND ` in it is no border between two conditions."""

OTHER_TYPES = "its columns get other types"
NO_PLAN = "the engine's SQL for it does not plan"

Bindings = Mapping[TableName, Table]
NO_NAMES: Mapping[str, str] = MappingProxyType({})


class Statement(msgspec.Struct, frozen=True):
    """A query as its author wrote it.

    Attributes:
        text: SQL.
        params: Values by name.
        names: What names meant that are no tables of the catalog.
    """

    text: str
    params: Mapping[str, Any]
    names: Bindings


def rebound_statement(
    session: Session,
    statement: Statement,
    over: Bindings,
    composed: Planned,
    *,
    ctx: SessionContext | None,
) -> Planned | str:
    """Plan a text again; a text says why what it gives is not the same.

    Args:
        session: In which it was composed.
        statement: The text.
        over: The tables that it is to run over, of the same columns as before.
        composed: What it was planned as before.
        ctx: As `Session.sql`, for what is to run.
    """
    names = {**statement.names, **over}
    again = Planned(
        session.planned(statement.text, params=statement.params, bound=names, ctx=ctx)
    )
    # One text over tables of the same columns: as composed alike, optimized alike.
    mine, yours = composed.frame.schema(), again.frame.schema()
    return again if _are_same(mine, yours) else OTHER_TYPES


def rebound_frame(
    session: Session,
    named: Bindings,
    over: Bindings,
    composed: Planned,
    *,
    ctx: SessionContext | None,
) -> Planned | str:
    """Plan a frame again by way of its SQL; a text says why it could not be done.

    Args:
        session: In which it was composed.
        named: The tables that it was composed over.
        over: Those that it is to run over.
        composed: By calls, or from parts.
        ctx: As `Session.sql`, for what is to run.
    """
    proof = respelt(session, named, composed)
    if isinstance(proof, str):
        return proof
    try:
        again = Planned(session.planned(proof.sql, bound=over, ctx=ctx))
    except QueryError:
        return NO_PLAN
    return again if _same_columns(composed, again) else OTHER_TYPES


class Respelt(NamedTuple):
    """A frame in the engine's own SQL, and what that is planned as."""

    sql: str
    planned: Planned


def respelt(
    session: Session,
    named: Bindings,
    composed: Planned,
    *,
    scoped: Mapping[str, str] = NO_NAMES,
) -> Respelt | str:
    """Return a frame as SQL that was proven to mean it; a text says why there is none.

    Args:
        session: In which it was composed.
        named: The tables that it was composed over.
        composed: By calls, or from parts.
        scoped: Names that it may have for its parts -> names to have in their place.
    """
    if carries_functions(composed.frame, session.ctx):
        return CARRIED
    reasons = []
    for put in _put(composed.frame):
        found = _respelt(session, named, composed, put, scoped)
        if isinstance(found, Respelt):
            return found
        reasons.append(found)
    return reasons[0]


def _put(frame: DataFrame) -> Iterator[DataFrame]:
    """Return a frame as it is, and under a list of its columns.

    Of an aggregate that nothing is above, the engine's SQL has the columns in another
    order, and of some joins those of one side alone.
    """
    yield frame
    names = [name.replace('"', '""') for name in frame.schema().names]
    with contextlib.suppress(QueryError), engine_errors("naming the columns"):
        yield frame.select(*(col(f'"{name}"') for name in names))


def _respelt(
    session: Session,
    named: Bindings,
    composed: Planned,
    put: DataFrame,
    scoped: Mapping[str, str],
) -> Respelt | str:
    text = unparsed(put)
    if text is None:
        return "the engine has no SQL for a part of it"
    sql = neutral(text, scoped)
    try:
        planned = Planned(session.planned(sql, bound=named))
        is_same = _is_meant(composed, planned, scoped)
    except QueryError:
        return NO_PLAN
    if not is_same:
        return "the engine's SQL for it has another plan"
    return Respelt(sql, planned) if _same_columns(composed, planned) else OTHER_TYPES


def _is_meant(composed: Planned, planned: Planned, scoped: Mapping[str, str]) -> bool:
    """Whether two plans are proven to mean the same, as optimized or as composed."""
    called = functools.partial(neutral, scoped=scoped)
    try:
        mine = meaning_of(composed.optimized, composed.text, called)
        if mine == meaning_of(planned.optimized, planned.text):
            return True
        mine = meaning_of(composed.frame.logical_plan(), composed.composed, called)
        return mine == meaning_of(planned.frame.logical_plan(), planned.composed)
    except QueryError:
        # Text shows less, and more of how a query is put; it is what is left.
        meant = neutral(composed.optimized.display_indent_schema(), scoped)
        return canonical(planned.optimized.display_indent_schema()) == canonical(meant)


def canonical(plan: str) -> str:
    """Return the text of a plan without what the engine makes up or may turn around.

    That is its own numbering of names, and the order of the conditions of a filter.

    Examples:
        >>> from datafusion import DataFrame, SessionContext, col
        >>> frame = SessionContext().sql("SELECT 1 WHERE 1 IN (SELECT 2)")
        >>> "__" in canonical(frame.logical_plan().display_indent_schema())
        False
    """
    text = TWICE_NAMED.sub("", "\n".join(map(_in_order, _named_once(plan))))
    numbers: dict[str, str] = {}
    return GENERATED.sub(
        lambda found: numbers.setdefault(found[0], f"#{len(numbers)}"), text
    )


def _in_order(line: str) -> str:
    """Sort the conditions of a filter."""
    found = CONDITIONS.fullmatch(line)
    if (
        found is None
        or OTHER_AND.search(found[2])
        or any(" AND " in text for text in TEXT.findall(found[2]))
    ):
        return line
    return found[1] + " AND ".join(sorted(found[2].split(" AND "))) + found[3]


def _named_once(text: str) -> Iterator[str]:
    """Leave out an alias right below another one, which hides it."""
    hidden: list[int] = []
    above = ""
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip())
        while hidden and depth <= hidden[-1]:
            hidden.pop()
        if ALIAS.match(above) and ALIAS.match(line):
            hidden.append(depth)
        else:
            yield line[2 * len(hidden) :]
        above = line


def _same_columns(one: Planned, other: Planned) -> bool:
    return _are_same(one.schema, other.schema)


def _are_same(one: pa.Schema, other: pa.Schema) -> bool:
    # How a text lies in memory is nobody's type.
    return plain_schema(one).types == plain_schema(other).types and (
        one.names == other.names
    )
