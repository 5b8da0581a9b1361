"""What the text of a plan leaves open: parts not shown, rows not ordered."""

import re
from collections.abc import Iterator
from typing import TypeAlias

from datafusion import DataFrame
from datafusion.expr import Values
from datafusion.plan import LogicalPlan
from datafusion.unparser import Dialect, Unparser

from dagster_dfsession.query.scans import variant_of

VALUES = re.compile(r"^\s*Values: ", re.MULTILINE)
PASSES_ORDER_ON = ("Projection:", "SubqueryAlias:", "Filter:", "Limit:")
ORDER_SENSITIVE = re.compile(
    r"\b(row_number|ntile|lag|lead|first_value|last_value|nth_value|any_value"
    r"|array_agg|string_agg)\("
)
OPENING, CLOSING = "([", ")]"

Rows: TypeAlias = tuple[tuple[str, ...], ...]
"""The rows of one VALUES, each cell as an expression."""


def unparsed(frame: DataFrame) -> str | None:
    """Return the frame as the engine's own SQL, which shows more than its plan does.

    The unoptimized plan is the one to ask: of optimized ones, some come out wrong.

    Returns:
        None: the engine has no SQL for some part of it.
    """
    try:
        return str(Unparser(Dialect.default()).plan_to_sql(frame.logical_plan()))
    except ValueError:
        return None


def rows_of_values(optimized: LogicalPlan, text: str) -> tuple[Rows, ...] | None:
    """Return the rows of each VALUES, of which a plan's text shows the first five.

    Returns:
        None: not all of them can be told; some subqueries remain in an expression.
    """
    shown = len(VALUES.findall(text))
    found = tuple(_values(optimized)) if shown else ()
    return None if len(found) < shown and "..." in text else found


def _values(plan: LogicalPlan) -> Iterator[Rows]:
    node = variant_of(plan)
    if isinstance(node, Values):
        yield tuple(tuple(map(str, row)) for row in node.values())
    for below in plan.inputs():
        yield from _values(below)


def undecided(text: str, sql: str | None, values: object) -> Iterator[str]:
    """Return why two queries of this text could give different rows.

    Args:
        text: An optimized plan.
        sql: From `unparsed`.
        values: From `rows_of_values`.
    """
    if values is None:
        yield "VALUES of more rows than a plan shows"
    if "Unnest:" in text:
        yield "unnest, of which a plan shows half"
    if sql is None and 'Utf8("' in text.replace("Utf8View", "Utf8"):
        yield "text that a plan does not delimit"
    if _limits_unordered_rows(text):
        yield "LIMIT without ORDER BY"
    for name in sorted(set(_unordered_calls(text))):
        yield f"{name} without ORDER BY"


def _limits_unordered_rows(text: str) -> bool:
    lines = [line.strip() for line in text.splitlines()]
    for number, line in enumerate(lines):
        if not line.startswith("Limit:"):
            continue
        below = (
            each for each in lines[number + 1 :] if not each.startswith(PASSES_ORDER_ON)
        )
        if not next(below, "").startswith("Sort:"):
            return True
    return False


def _unordered_calls(text: str) -> Iterator[str]:
    """Return the calls whose value depends on an order that nobody gave."""
    for found in ORDER_SENSITIVE.finditer(text):
        if "ORDER BY" not in _rest_of_item(text, found.end()):
            yield found[1]


def _rest_of_item(text: str, start: int) -> str:
    """Return what follows in the same item of a list; `start` is in its parenthesis."""
    depth = 1
    for at in range(start, len(text)):
        sign = text[at]
        if sign in OPENING:
            depth += 1
        elif sign in CLOSING:
            depth -= 1
        if depth < 0 or sign == "\n" or (depth == 0 and sign == ","):
            return text[start:at]
    return text[start:]
