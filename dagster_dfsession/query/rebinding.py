"""The same query over other tables of the same names.

A query is composed over tables that keep their names in its plan. To run, it is
planned again with the names bound to scans of chosen files. A frame that nobody has
the text of is written as SQL by the engine first; then it must be proven that the text
means the same, because some plans lose something on the way.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from datafusion import SessionContext
from datafusion.catalog import Table
from datafusion.plan import LogicalPlan

from dagster_dfsession.errors import QueryError
from dagster_dfsession.query.certainty import unparsed
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.session.catalog import TableName
from dagster_dfsession.session.session import Session

GENERATED = re.compile(r"__\w+?_\d+|\balias\d+\b|\bderived_\w+\b")
"""Names that the engine makes up, and numbers by their order."""
TWICE_NAMED = re.compile(r" AS (?:\w+\([^()]*\)|\"[^\"]*\")(?= AS )")
"""A name that is at once replaced by another, as in `count(*) AS count(*) AS n`."""

ALIAS = re.compile(r" *SubqueryAlias: ")

OTHER_TYPES = "its columns get other types"

Bindings = Mapping[TableName, Table]


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
        over: The tables that it is to run over.
        composed: What it was planned as before.
        ctx: As `Session.sql`, for what is to run.
    """
    names = {**statement.names, **over}
    again = Planned(
        session.sql(statement.text, params=statement.params, bound=names, ctx=ctx)
    )
    return again if _same_columns(composed, again) else OTHER_TYPES


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
    text = unparsed(composed.frame)
    if text is None:
        return "the engine has no SQL for a part of it"
    try:
        proof = Planned(session.sql(text, bound=named))
        again = Planned(session.sql(text, bound=over, ctx=ctx))
    except QueryError:
        return "the engine's SQL for it does not plan"
    if canonical(proof.optimized) != canonical(composed.optimized):
        return "the engine's SQL for it has another plan"
    return again if _same_columns(composed, again) else OTHER_TYPES


def canonical(plan: LogicalPlan) -> str:
    """Return the text of a plan without the engine's own numbering of names.

    Examples:
        >>> from datafusion import SessionContext
        >>> query = "SELECT 1 WHERE 1 IN (SELECT 2)"
        >>> "__" in canonical(SessionContext().sql(query).logical_plan())
        False
    """
    text = TWICE_NAMED.sub("", "\n".join(_named_once(plan.display_indent_schema())))
    numbers: dict[str, str] = {}
    return GENERATED.sub(
        lambda found: numbers.setdefault(found[0], f"#{len(numbers)}"), text
    )


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
    mine, yours = one.schema, other.schema
    return mine.names == yours.names and mine.types == yours.types
