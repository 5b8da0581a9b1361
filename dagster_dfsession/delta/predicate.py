"""Which rows of a table a write replaces or a read takes. Here SQL text is composed."""

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from dagster_dfsession.delta.literals import (
    Value,
    column_type,
    exact_scalar,
    sql_literal,
)
from dagster_dfsession.errors import PartitionError
from dagster_dfsession.plan.quoting import quoted_identifier

_T = TypeVar("_T")


class In(msgspec.Struct, frozen=True):
    """The column has one of these values; NULL is none of them."""

    column: str
    values: tuple[Value, ...]


class Range(msgspec.Struct, frozen=True):
    """The column is at or above `lower_inclusive` and below `upper_exclusive`."""

    column: str
    lower_inclusive: Value
    upper_exclusive: Value


class And(msgspec.Struct, frozen=True):
    """All parts hold."""

    parts: "tuple[Predicate, ...]"


class Or(msgspec.Struct, frozen=True):
    """Some part holds."""

    parts: "tuple[Predicate, ...]"


Predicate: TypeAlias = In | Range | And | Or


def columns(predicate: Predicate) -> frozenset[str]:
    """Return the columns that decide.

    Examples:
        >>> sorted(columns(And((In("a", (1,)), Range("b", 1, 2)))))
        ['a', 'b']
    """
    if isinstance(predicate, In | Range):
        return frozenset({predicate.column})
    return frozenset().union(*(columns(part) for part in predicate.parts))


def conjunction(parts: Sequence[Predicate]) -> Predicate:
    """Return the one part, or all of them joined."""
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def disjunction(parts: Sequence[Predicate]) -> Predicate:
    """Return the one part, or all of them as alternatives."""
    return parts[0] if len(parts) == 1 else Or(tuple(parts))


def to_sql(predicate: Predicate, schema: pa.Schema, table: str = "") -> str:
    """Return the predicate as SQL for delta-rs and DataFusion.

    Args:
        predicate: What to select.
        schema: The table's Arrow schema: literals take the type of their column.
        table: What the table is called where columns of others are in scope.

    Raises:
        PartitionError: A column is missing, its type cannot be used, or a value is
            none of that type.

    Examples:
        >>> schema = pa.schema({"k": pa.string(), "n": pa.int64()})
        >>> print(to_sql(And((In("k", ("it's",)), Range("n", 1, 5))), schema))
        ("k" IN ('it''s') AND ("n" >= 1 AND "n" < 5))
    """
    prefix = f"{quoted_identifier(table)}." if table else ""
    if isinstance(predicate, In):
        found = column_type(schema, predicate.column)
        literals = (
            sql_literal(value, predicate.column, found) for value in _values(predicate)
        )
        column = prefix + quoted_identifier(predicate.column)
        return f"{column} IN ({', '.join(literals)})"
    if isinstance(predicate, Range):
        name, found = predicate.column, column_type(schema, predicate.column)
        column = prefix + quoted_identifier(name)
        lower = sql_literal(predicate.lower_inclusive, name, found)
        upper = sql_literal(predicate.upper_exclusive, name, found)
        return f"({column} >= {lower} AND {column} < {upper})"
    parts = [to_sql(part, schema, table) for part in _parts(predicate)]
    word = "AND" if isinstance(predicate, And) else "OR"
    return _balanced(parts, lambda left, right: f"({left} {word} {right})")


def to_expression(predicate: Predicate, schema: pa.Schema) -> pc.Expression:
    """Return the same predicate for Arrow: `Table.filter`, dataset filters.

    Raises:
        PartitionError: As `to_sql`.

    Examples:
        >>> rows = pa.table({"n": [1, 2, 3]})
        >>> rows.filter(to_expression(Range("n", 2, 9), rows.schema)).to_pydict()
        {'n': [2, 3]}
    """
    if isinstance(predicate, In):
        found = column_type(schema, predicate.column)
        scalars = [exact_scalar(v, predicate.column, found) for v in _values(predicate)]
        return pc.field(predicate.column).isin(pa.array(scalars, type=found))
    if isinstance(predicate, Range):
        found = column_type(schema, predicate.column)
        # pyarrow-stubs leaves out that pc.scalar takes an Arrow scalar.
        lower: Any = exact_scalar(predicate.lower_inclusive, predicate.column, found)
        upper: Any = exact_scalar(predicate.upper_exclusive, predicate.column, found)
        column = pc.field(predicate.column)
        return (column >= pc.scalar(lower)) & (column < pc.scalar(upper))
    parts = [to_expression(part, schema) for part in _parts(predicate)]
    join = operator.and_ if isinstance(predicate, And) else operator.or_
    return _balanced(parts, join)


def _values(predicate: In) -> tuple[Value, ...]:
    if not predicate.values:
        raise PartitionError(
            f"a choice among no values of column {predicate.column!r} selects "
            "nothing; a write needs at least one partition key"
        )
    return predicate.values


def _parts(predicate: And | Or) -> tuple[Predicate, ...]:
    if not predicate.parts:
        raise PartitionError(
            f"{type(predicate).__name__} without parts has no meaning; a write needs "
            "at least one partition key"
        )
    return predicate.parts


def _balanced(parts: Sequence[_T], join: Callable[[_T, _T], _T]) -> _T:
    # A chain of 5,000 ORs takes delta-rs 10 s and a deep stack; as a tree, 0.7 s.
    if len(parts) <= 2:  # noqa: PLR2004 - a pair
        return functools.reduce(join, parts)
    middle = len(parts) // 2
    return join(_balanced(parts[:middle], join), _balanced(parts[middle:], join))
