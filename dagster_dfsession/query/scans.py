"""What a query wants of each table: which columns, and rows of which condition."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
import pyarrow as pa
from datafusion import Expr
from datafusion.expr import (
    Alias,
    BinaryExpr,
    Cast,
    Column,
    Filter,
    InList,
    IsNotNull,
    IsNull,
    Literal,
    Not,
    Projection,
    TableScan,
)
from datafusion.plan import LogicalPlan

from dagster_dfsession.delta.pruning import (
    UNKNOWN,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Missing,
    Operator,
    Present,
    is_moment,
)

SCAN = re.compile(
    r"TableScan: (.+?)(?: projection=\[| partial_filters=\[| full_filters=\["
    r"| unsupported_filters=\[|, fetch=|$)",
    re.MULTILINE,
)
_TURNED: Mapping[str, Operator] = MappingProxyType(
    {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
)
"""The operator that says the same with both sides exchanged."""


Computed = Mapping[str, Expr]
"""Columns by name, as expressions over those of a table."""
NOT_COMPUTED: Computed = MappingProxyType({})

DECIDES = re.compile(r"Filter: | Join: |Sort: |_filters=|\b(?:min|max)\(")
"""What in a plan makes the engine leave out files by their statistics. The least and
the greatest value are among it: a file that cannot better them is not read."""


class Wanted(msgspec.Struct, frozen=True):
    """What a query wants of one table, all its scans of it together.

    Attributes:
        columns: That it reads; None: not known, so all of them.
        filters: The texts of what it filters by.
        condition: That every row it wants satisfies, as far as known.
        pushed: Those filters that are the scan's own: it need not read their columns.
    """

    columns: frozenset[str] | None
    filters: tuple[str, ...]
    condition: Condition
    pushed: tuple[str, ...] = ()

    def uses(self, column: str) -> bool:
        """Whether the column is read or filtered by at all."""
        return (
            self.columns is None
            or column in self.columns
            or any(column in text for text in self.pushed)
        )

    def filters_by(self, column: str) -> bool:
        """Whether a filter may look at the column."""
        return any(column in text for text in self.filters)


def wanted_of_tables(optimized: LogicalPlan) -> dict[str, Wanted]:
    """Return table, as the plan spells it, and what is wanted of it.

    A plan inside an expression, which some subqueries remain, is in the plan's text
    and cannot be walked: of a table that it scans, nothing is known.

    Args:
        optimized: A plan with its filters next to its scans.
    """
    seen: dict[str, list[Wanted]] = {}
    for name, wanted in _scans(optimized):
        seen.setdefault(name, []).append(wanted)
    shown = Counter(SCAN.findall(optimized.display_indent()))
    return {
        name: _together(seen.get(name, []), times=times)
        for name, times in shown.items()
    }


def _together(scans: list[Wanted], *, times: int) -> Wanted:
    filters = tuple(text for each in scans for text in each.filters)
    if len(scans) != times:
        return Wanted(columns=None, filters=filters, condition=UNKNOWN)
    pushed = tuple(text for each in scans for text in each.pushed)
    return Wanted(
        columns=frozenset[str]().union(*(each.columns or () for each in scans)),
        filters=filters,
        condition=AnyOf(tuple(each.condition for each in scans)),
        pushed=pushed,
    )


def _scans(
    plan: LogicalPlan, above: Expr | None = None, computed: Computed = NOT_COMPUTED
) -> Iterator[tuple[str, Wanted]]:
    """Yield the scans below, with what is wanted of each.

    Args:
        plan: Where to look.
        above: What the node right above demands of the rows.
        computed: What `above` means by its columns, where they are not the table's.
    """
    node = variant_of(plan)
    if isinstance(node, TableScan):
        pushed = node.filters()
        demanded = [condition_of(each) for each in pushed]
        texts = [*map(str, pushed)]
        if above is not None:
            demanded.append(condition_of(above, computed))
            texts.extend(map(str, [above, *computed.values()]))
        yield (
            node.table_name(),
            Wanted(
                columns=frozenset(name for _, name in node.projection()),
                filters=tuple(texts),
                condition=AllOf(tuple(demanded)),
                pushed=tuple(map(str, pushed)),
            ),
        )
    elif isinstance(node, Projection) and above is not None and not computed:
        # The optimizer computes below a filter what occurs in it more than once.
        [below] = plan.inputs()
        yield from _scans(below, above, dict(map(_named, node.projections())))
    else:
        predicate = node.predicate() if isinstance(node, Filter) else None
        for below in plan.inputs():
            yield from _scans(below, predicate)


def _named(computed: Expr) -> tuple[str, Expr]:
    node = variant_of(computed)
    if isinstance(node, Alias):
        return node.alias(), node.expr()
    return (node.name() if isinstance(node, Column) else str(computed)), computed


def condition_of(expression: Expr, computed: Computed = NOT_COMPUTED) -> Condition:
    """Return what an expression demands of single columns; the rest is unknown.

    Args:
        expression: Of a filter.
        computed: What its columns are, where they are not those of a table.

    Examples:
        >>> from datafusion import col, lit
        >>> condition_of((col("n") > lit(1)) & (col("n") % lit(2) == lit(0))).parts[1]
        AllOf(parts=())
    """
    node = _meant(expression, computed)
    if isinstance(node, BinaryExpr):
        if node.op() in ("AND", "OR"):
            sides = (node.left(), node.right())
            parts = tuple(condition_of(side, computed) for side in sides)
            return AllOf(parts) if node.op() == "AND" else AnyOf(parts)
        return _comparison(node.left(), node.op(), node.right(), computed)
    if isinstance(node, InList) and not node.negated():
        equal = (_comparison(node.expr(), "=", each, computed) for each in node.list())
        return AnyOf(tuple(equal))
    if isinstance(node, Column):
        return Compare(node.name(), "=", pa.scalar(True))  # noqa: FBT003  # an Arrow value
    if not isinstance(node, Not | IsNull | IsNotNull):
        return UNKNOWN
    inner = _meant(node.expr(), computed)
    return _of_column(node, inner.name()) if isinstance(inner, Column) else UNKNOWN


def _meant(expression: Expr, computed: Computed) -> Any:
    """Return what an expression is, in terms of the table's columns."""
    node = variant_of(expression)
    if isinstance(node, Column) and computed:
        return variant_of(computed[node.name()]) if node.name() in computed else None
    return node


def _of_column(node: Not | IsNull | IsNotNull, column: str) -> Condition:
    if isinstance(node, IsNull):
        return Missing(column)
    if isinstance(node, IsNotNull):
        return Present(column)
    return Compare(column, "=", pa.scalar(False))  # noqa: FBT003  # as above


def _comparison(
    left: Expr, operator: str, right: Expr, computed: Computed
) -> Condition:
    one, other = _meant(left, computed), _meant(right, computed)
    if operator not in _TURNED:
        return UNKNOWN
    if isinstance(one, Literal):
        return _compared(other, _TURNED[operator], left)
    if isinstance(other, Literal):
        return _compared(one, _TURNED[_TURNED[operator]], right)
    return UNKNOWN


def _compared(node: Any, operator: Operator, literal: Expr) -> Condition:
    value: Any = literal.python_value()
    if not value.is_valid:
        return UNKNOWN
    if isinstance(node, Column):
        return Compare(node.name(), operator, value)
    inner = variant_of(node.expr()) if isinstance(node, Cast) else None
    if isinstance(inner, Column) and is_moment(value.type):
        return Compare(inner.name(), operator, value, cast=True)
    return UNKNOWN


def variant_of(part: LogicalPlan | Expr) -> Any:
    """Return the Python object for a part of a plan; None: there is no class for it."""
    try:
        return part.to_variant()
    except ValueError:
        return None
