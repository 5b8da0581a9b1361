"""What a node of a plan is given, by the names that its expressions use."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from datafusion.expr import Alias
from datafusion.plan import LogicalPlan

from dagster_dfsession.query.flow import NOTHING, Flow, Sources
from dagster_dfsession.query.scans import variant_of

SUBQUERY = "<subquery>"
PLACED = re.compile(r" (?:FILTER \(WHERE |PARTITION BY \[|ORDER BY \[)")
"""Where in the text of a call begins what decides over which rows it goes."""


class Rows:
    """The columns below a node.

    Attributes:
        names: As expressions spell them.
        flow: What they are made from.
    """

    def __init__(self, names: Sequence[str], flow: Flow, everything: Sources) -> None:
        """Take the columns below, and all that a hidden subquery may read."""
        self.flow = flow
        self._everything = everything
        self._columns: dict[str, Sources] = {}
        for name, sources in zip(names, flow.columns, strict=True):
            # One name may stand for several columns: none is left out.
            self._columns[name] = self._columns.get(name, NOTHING) | sources
        self.names = tuple(names)
        self._longest_first = sorted(self._columns, key=len, reverse=True)

    def named_in(self, text: str) -> tuple[list[str], str]:
        """Return the columns that a text names, and what is left of it without them."""
        if text in self._columns:
            return [text], ""
        found = []
        # A longer name may have a shorter one in it, as `sum(t.a)` has `t.a`.
        for name in self._longest_first:
            if name in text:
                pattern = rf"(?<!\w){re.escape(name)}(?!\w)"
                text, times = re.subn(pattern, " ", text)
                found += [name] if times else []
        return found, text

    def of(self, text: str) -> Sources:
        """Return what the columns that a text names are made from."""
        found, _ = self.named_in(text)
        hidden = self._everything if SUBQUERY in text else NOTHING
        return hidden.union(*(self._columns[name] for name in found))

    def with_calls(self, kept: Iterable[Sources], calls: Iterable[Any]) -> Flow:
        """Return the columns kept, then those of calls over many rows."""
        values, influence = [], []
        for text in map(text_of, calls):
            start = PLACED.search(text)
            end = len(text) if start is None else start.start()
            values.append(self.of(text[:end]))
            influence.append(self.of(text[end:]))
        return self.flow.having((*kept, *values)).influenced_by(*influence)


def names_of(plan: LogicalPlan) -> list[str]:
    """Return the columns of a node by the names that expressions above it use."""
    node = variant_of(plan)
    if hasattr(node, "schema"):
        return list(node.schema().field_names())
    return names_of(plan.inputs()[0])


def text_of(expression: Any) -> str:
    """Return an expression as a plan shows it, without what its value is called."""
    node = variant_of(expression)
    while isinstance(node, Alias):
        expression = node.expr()
        node = variant_of(expression)
    return str(expression.canonical_name())
