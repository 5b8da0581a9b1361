"""Two sets of rows held against each other, as multisets."""

import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
import pyarrow as pa
from datafusion import DataFrame, Expr, col, lit
from datafusion import functions as f

from dagster_dfsession.plan.quoting import quoted_identifier
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.query.stream import Execution
from dagster_dfsession.session.failures import engine_errors

ROWS_SHOWN = 5
TOLERANCE = 1e-9
"""Relative: floats may be added up in any order, which moves their last digits."""

_SURPLUS = "__dfsession_surplus"

Side = Literal["then", "now"]


class RowsOnly(Frozen, frozen=True):
    """The rows that one side has and the other lacks.

    Attributes:
        total: Rows of the side, those of both included.
        count: Rows that the other lacks.
        first: The first of them, by their values.
    """

    total: int
    count: int
    first: tuple[dict[str, Any], ...]


class Comparison(Frozen, frozen=True):
    """What two sets of rows do not have in common.

    Attributes:
        outcome: `equal`; `close`: but for floats that differ by `TOLERANCE` at most,
            relative to the larger one; `different`.
        then: What was written.
        now: What the replay gave.
    """

    outcome: Literal["equal", "close", "different"]
    then: RowsOnly
    now: RowsOnly


def compared(then: DataFrame, now: DataFrame, schema: pa.Schema) -> Comparison:
    """Compare two frames of one session as multisets of rows.

    NULL equals NULL, NaN equals NaN and the two zeros of a float are one; floats inside
    lists and structs are compared by their bits. The engine groups and counts, and
    spills what its memory does not hold.

    Args:
        then: What was written.
        now: What the replay gave.
        schema: The columns to compare, as which both are read.

    Raises:
        QueryError: A frame cannot be read, or has not the columns.
    """
    with engine_errors("comparing rows"):
        sides = [_counted(frame, schema, by) for frame, by in ((then, 1), (now, -1))]
        totals = [frame.count() for frame in (then, now)]
        keys = [col(quoted_identifier(name)) for name in schema.names]
        surplus = f.sum(col(_SURPLUS)).alias(_SURPLUS)
        differing = (
            sides[0]
            .union(sides[1])
            .aggregate(keys, [surplus])
            .filter(col(_SURPLUS) != lit(0))
            .sort(*_order(schema))
        )
    return _read(Execution(differing, "comparing rows").batches, totals, schema)


def _counted(frame: DataFrame, schema: pa.Schema, by: int) -> DataFrame:
    columns = (_plain(field).alias(field.name) for field in schema)
    return frame.select(*columns, lit(by).alias(_SURPLUS))


def _plain(field: "pa.Field[Any]") -> Expr:
    own = col(quoted_identifier(field.name)).cast(field.type)
    if not pa.types.is_floating(field.type):
        return own
    # There are many NaNs, which the engine does not take for one.
    return f.nanvl(own, lit(pa.scalar(math.nan, field.type)))


def _order(schema: pa.Schema) -> Iterator[Any]:
    """Rows that differ in their floats alone come next to each other."""
    for field in sorted(schema, key=lambda each: pa.types.is_floating(each.type)):
        own = col(quoted_identifier(field.name))
        yield own.sort(ascending=True, nulls_first=False)


def _read(
    batches: Iterable[pa.RecordBatch], totals: Sequence[int], schema: pa.Schema
) -> Comparison:
    floats = [field.name for field in schema if pa.types.is_floating(field.type)]
    counts: dict[Side, int] = {"then": 0, "now": 0}
    first: dict[Side, list[dict[str, Any]]] = {"then": [], "now": []}
    pairs = _Pairs(floats)
    for row in itertools.chain.from_iterable(batch.to_pylist() for batch in batches):
        surplus = row.pop(_SURPLUS)
        side: Side = "then" if surplus > 0 else "now"
        counts[side] += abs(surplus)
        room = ROWS_SHOWN - len(first[side])
        first[side] += [row] * min(abs(surplus), room)
        pairs.take(row, side, abs(surplus))
    differing = counts["then"] + counts["now"]
    return Comparison(
        outcome="equal" if not differing else "close" if pairs.close else "different",
        then=_only(totals[0], counts["then"], first["then"]),
        now=_only(totals[1], counts["now"], first["now"]),
    )


def _only(total: int, count: int, first: Sequence[Mapping[str, Any]]) -> RowsOnly:
    rows = tuple(msgspec.to_builtins(row, enc_hook=str) for row in first)
    return RowsOnly(total=total, count=count, first=rows)


class _Pairs:
    """Rows of both sides that are one but for the last digits of their floats."""

    def __init__(self, floats: Sequence[str]) -> None:
        self._floats = floats
        self._exact: dict[str, Any] | None = None
        self._waiting: deque[tuple[Side, list[float | None]]] = deque()
        self._differ = not floats

    @property
    def close(self) -> bool:
        """Whether every row taken so far has found its other."""
        return not self._differ and not self._waiting

    def take(self, row: Mapping[str, Any], side: Side, times: int) -> None:
        """Take a row; rows that are equal but for floats come one after the other."""
        if self._differ:
            return
        exact = {name: row[name] for name in row if name not in self._floats}
        if exact != self._exact:
            self._differ = bool(self._waiting)
            self._exact = exact
        values = [row[name] for name in self._floats]
        for _ in range(times):
            if not self._waiting or self._waiting[0][0] == side:
                self._waiting.append((side, values))
            else:
                _, other = self._waiting.popleft()
                self._differ |= not all(map(_close, values, other))


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    both_nan = math.isnan(one) and math.isnan(other)
    return both_nan or math.isclose(one, other, rel_tol=TOLERANCE)
