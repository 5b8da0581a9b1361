"""From partition keys to the rows they own."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import msgspec
import pyarrow as pa

from dagster_dfsession.delta.literals import Value, column_type
from dagster_dfsession.delta.predicate import (
    In,
    Predicate,
    conjunction,
    disjunction,
)
from dagster_dfsession.delta.windows import TimeWindows, window_ranges
from dagster_dfsession.errors import PartitionError, listing


class StaticKeys(msgspec.Struct, frozen=True, tag_field="kind", tag="keys"):
    """Static or dynamic partition keys: each names one value of `column`."""

    column: str
    keys: tuple[str, ...]


Dimension: TypeAlias = StaticKeys | TimeWindows


class MultiKeys(msgspec.Struct, frozen=True, tag_field="kind", tag="several"):
    """Keys with several dimensions.

    Attributes:
        keys: For each key, one part a dimension, each with a single key or window;
            the dimensions stand in the same order in every key.
    """

    keys: tuple[tuple[Dimension, ...], ...]


PartitionRequest: TypeAlias = StaticKeys | TimeWindows | MultiKeys


def partition_predicate(request: PartitionRequest, schema: pa.Schema) -> Predicate:
    """Return the predicate that selects exactly the rows of the keys.

    The same set of keys gives the same predicate in whatever order it comes. In a
    timestamp column without time zone a window is its wall clock; in one with a time
    zone, its instants. Adjacent windows become one range.

    Args:
        request: The keys of one run, at least one.
        schema: The Arrow schema of the table.

    Raises:
        PartitionError: No keys; the column is missing or of a type that cannot be
            partitioned; a key is no value of that type; a window is no span of days
            (date column), or begins or ends in the repeated hour (wall clock).

    Examples:
        >>> schema = pa.schema({"k": pa.string(), "year": pa.int32()})
        >>> partition_predicate(StaticKeys("year", ("2026", "2025")), schema)
        In(column='year', values=(2025, 2026))
    """
    if not isinstance(request, MultiKeys):
        return _single(request, schema)
    orders = {tuple(part.column for part in key) for key in request.keys}
    if len(orders) > 1:
        raise PartitionError(
            "keys of several dimensions name different columns: "
            f"{listing(' / '.join(order) for order in orders)}; give every key the "
            "same dimensions in the same order"
        )
    return _multi(frozenset(request.keys), schema)


def partition_columns(request: PartitionRequest) -> tuple[str, ...]:
    """Return the columns that the keys speak of, in the order of the dimensions."""
    if not isinstance(request, MultiKeys):
        return (request.column,)
    return tuple(dict.fromkeys(d.column for key in request.keys for d in key))


def default_partition_columns(
    request: PartitionRequest, schema: pa.Schema
) -> tuple[str, ...]:
    """Return the columns to divide a new table's files by: all but timestamps.

    A directory for every distinct instant would hold a handful of rows; a range of
    time is found by the statistics of the files.

    Raises:
        PartitionError: A column is missing or of a type that cannot be partitioned.
    """
    divided = tuple(
        column
        for column in partition_columns(request)
        if not pa.types.is_timestamp(column_type(schema, column))
    )
    # Delta Lake keeps partition columns out of its files: one must be left.
    return () if set(divided) == set(schema.names) else divided


def _single(request: Dimension, schema: pa.Schema) -> Predicate:
    found = column_type(schema, request.column)
    if isinstance(request, StaticKeys):
        return _choice(request.column, request.keys, found)
    if not (pa.types.is_timestamp(found) or pa.types.is_date32(found)):
        return _choice(request.column, (key for _, _, key in request.windows), found)
    _check_any(request.windows, request.column)
    return disjunction(window_ranges(request, found))


def _multi(keys: frozenset[tuple[Dimension, ...]], schema: pa.Schema) -> Predicate:
    """Factor the keys: those that share all later dimensions become one choice."""
    _check_any(keys, "several dimensions")
    rests: dict[Dimension, set[tuple[Dimension, ...]]] = {}
    for first, *rest in keys:
        rests.setdefault(first, set()).add(tuple(rest))
    groups: dict[frozenset[tuple[Dimension, ...]], list[Dimension]] = {}
    for first, later in rests.items():
        groups.setdefault(frozenset(later), []).append(first)
    parts: list[tuple[Dimension, Predicate]] = []
    for shared, firsts in groups.items():
        together = _together(firsts)
        here = _single(together, schema)
        more = [] if shared == {()} else [_multi(shared, schema)]
        parts.append((together, conjunction([here, *more])))
    parts.sort(key=lambda part: _keys(part[0]))
    return disjunction([predicate for _, predicate in parts])


def _together(parts: Sequence[Dimension]) -> Dimension:
    first = parts[0]
    if isinstance(first, StaticKeys):
        keys = sorted(key for part in parts for key in _keys(part))
        return StaticKeys(first.column, tuple(keys))
    windows = (part.windows for part in parts if isinstance(part, TimeWindows))
    joined = itertools.chain.from_iterable(windows)
    return TimeWindows(first.column, tuple(joined), first.key_format)


def _keys(part: Dimension) -> tuple[str, ...]:
    if isinstance(part, StaticKeys):
        return tuple(sorted(part.keys))
    return tuple(sorted(key for _, _, key in part.windows))


def _choice(column: str, keys: Iterable[str], found: pa.DataType) -> In:
    values = {_value(key, column, found) for key in keys}
    _check_any(values, column)
    # One column, one type: the values compare.
    return In(column, tuple(sorted(values)))


def _check_any(keys: Iterable[object], column: str) -> None:
    if not any(True for _ in keys):
        raise PartitionError(
            f"no partition keys were given for {column!r}; a write without keys would "
            "have no rows to own. Give at least one key."
        )


def _value(key: str, column: str, found: pa.DataType) -> Value:
    """Read a key as its column's type; only the one canonical spelling will do."""
    value: Value | None = None
    if pa.types.is_boolean(found):
        value = {"true": True, "false": False}.get(key)
    elif pa.types.is_integer(found):
        value = _canonical(int, key)
    elif pa.types.is_date32(found):
        value = _canonical(dt.date.fromisoformat, key)
    elif not (pa.types.is_timestamp(found) or pa.types.is_decimal(found)):
        return key
    if value is None:
        raise PartitionError(
            f"the partition key {key!r} is no value of column {column!r} of type "
            f"{found}; keys are text for a string column, 7 (not '07') for integers, "
            "2026-03-09 for dates, true or false for booleans, and time windows for "
            "timestamps. Use such keys, or a string column."
        )
    return value


def _canonical(read: Callable[[str], Value], key: str) -> Value | None:
    try:
        value = read(key)
    except ValueError:
        return None
    return value if str(value) == key else None
