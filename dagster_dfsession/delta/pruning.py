"""Which data files may hold rows that satisfy a condition.

A condition only ever leaves files out; the engine still applies it to every row. So
all that is not known for certain keeps a file.
"""

import functools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from dagster_dfsession.delta.data_files import DataFiles

Mask: TypeAlias = "pa.BooleanArray"
Operator = Literal["=", "!=", "<", "<=", ">", ">="]

TIMESTAMP_STEP = pa.scalar(1_000, pa.duration("us"))
"""The log has timestamps in whole milliseconds, cut off, the greatest ones too."""
EXACT_DIGITS = 15
"""Decimal digits that survive the log, which has numbers as JSON."""


class Compare(msgspec.Struct, frozen=True):
    """The column compares so with the value.

    Attributes:
        value: A scalar of the column's type.
        cast: The column is cast to the value's type first.
    """

    column: str
    operator: Operator
    value: Any
    cast: bool = False


class Missing(msgspec.Struct, frozen=True):
    """The column is NULL."""

    column: str


class Present(msgspec.Struct, frozen=True):
    """The column is not NULL."""

    column: str


class AllOf(msgspec.Struct, frozen=True):
    """Every part holds; without parts, nothing is known."""

    parts: "tuple[Condition, ...]" = ()


class AnyOf(msgspec.Struct, frozen=True):
    """Some part holds."""

    parts: "tuple[Condition, ...]"


Condition: TypeAlias = Compare | Missing | Present | AllOf | AnyOf

UNKNOWN = AllOf()

_EXACT: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_date32,
    pa.types.is_timestamp,
    pa.types.is_string,
)
_COMPARISONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "=": pc.equal,
        "!=": pc.not_equal,
        "<": pc.less,
        "<=": pc.less_equal,
        ">": pc.greater,
        ">=": pc.greater_equal,
    }
)


def may_match(condition: Condition, files: DataFiles) -> Mask:
    """Return, for each file, whether rows of it may satisfy the condition.

    Examples:
        >>> import tempfile
        >>> from deltalake import DeltaTable, write_deltalake
        >>> from dagster_dfsession.delta.location import Location
        >>> place = tempfile.mkdtemp()
        >>> for n in (1, 2):
        ...     write_deltalake(place, pa.table({"n": [n]}), mode="append")
        >>> files = DataFiles(DeltaTable(place), Location(place))
        >>> may_match(Compare("n", "=", pa.scalar(2)), files).true_count
        1
    """
    if isinstance(condition, AllOf):
        masks = [may_match(part, files) for part in condition.parts]
        return functools.reduce(pc.and_, masks) if masks else _every(files)
    if isinstance(condition, AnyOf):
        parts = (may_match(part, files) for part in condition.parts)
        return functools.reduce(pc.or_, parts)
    try:
        if condition.column in files.partition_columns:
            return _by_partition(condition, files)
        return _by_statistics(condition, files)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _every(files)  # no comparison of these two types: nothing is known


def _every(files: DataFiles) -> Mask:
    return pa.repeat(pa.scalar(True), files.count)  # noqa: FBT003  # an Arrow value


def _by_partition(condition: Compare | Missing | Present, files: DataFiles) -> Mask:
    values = files.partition_values(condition.column)
    if files.has_doubtful_values(condition.column):
        return _every(files)
    if isinstance(condition, Missing):
        return values.is_null()
    if isinstance(condition, Present) or pa.types.is_floating(values.type):
        return values.is_valid()  # NaN and -0.0 compare otherwise in the engine
    plain = _plain(condition, values.type)
    if plain is None:
        return _every(files)
    compare = _COMPARISONS[plain.operator]
    return _filled(compare(values, plain.value.cast(values.type)), unknown=False)


def _by_statistics(condition: Compare | Missing | Present, files: DataFiles) -> Mask:
    nulls, every = files.nulls(condition.column), _every(files)
    if nulls is None:
        some = every
    else:
        none = pa.scalar(0) if isinstance(condition, Missing) else files.rows
        some = _filled(pc.not_equal(nulls, none), unknown=True)
    if isinstance(condition, Missing):
        return some
    least, greatest = files.least(condition.column), files.greatest(condition.column)
    if (
        isinstance(condition, Present)
        or least is None
        or greatest is None
        or not _is_exact(least.type)
    ):
        return some
    plain = _plain(condition, least.type)
    if plain is None:
        return some
    return pc.and_(some, _within(plain, least, greatest, every))


def is_moment(found: pa.DataType) -> bool:
    """Whether it is the type of a date and a time in no time zone.

    Examples:
        >>> is_moment(pa.timestamp("ns")), is_moment(pa.timestamp("us", "UTC"))
        (True, False)
    """
    return pa.types.is_timestamp(found) and found.tz is None


def _plain(condition: Compare, found: pa.DataType) -> Compare | None:
    """Return a comparison of the column as it is; None: there is none.

    A date that is cast to a moment is the beginning of its day.
    """
    if not condition.cast:
        return condition
    if not (pa.types.is_date32(found) and is_moment(condition.value.type)):
        return None
    day = pc.floor_temporal(condition.value, unit="day")
    operator = condition.operator
    if day != condition.value:
        if operator in ("=", "!="):
            return None
        operator = "<=" if operator in ("<", "<=") else ">"
    return Compare(condition.column, operator, day.cast(found))


def _within(
    condition: Compare,
    least: "pa.Array[Any]",
    greatest: "pa.Array[Any]",
    every: Mask,
) -> Mask:
    value = condition.value.cast(least.type)
    if pa.types.is_floating(least.type) and (
        condition.operator != "=" or not math.isfinite(value.as_py())
    ):
        return every  # the log leaves infinities and NaN out of the bounds
    if condition.operator == "!=":
        return every
    if condition.operator in (">", ">="):
        return _reaches(greatest, value, condition.operator)
    below = _COMPARISONS["<=" if condition.operator == "=" else condition.operator]
    from_below = _filled(below(least, value), unknown=True)
    if condition.operator == "=":
        return pc.and_(from_below, _reaches(greatest, value, ">="))
    return from_below


def _reaches(greatest: "pa.Array[Any]", value: Any, operator: Operator) -> Mask:
    """Return where a file's greatest value may compare so with the value."""
    if pa.types.is_timestamp(greatest.type):
        greatest = pc.add(greatest, TIMESTAMP_STEP)
    reached = _filled(_COMPARISONS[operator](greatest, value), unknown=True)
    if not pa.types.is_string(greatest.type):
        return reached
    # A long text is cut off in the log: what begins with it may be greater.
    text = value.as_py()
    begins = [end is None or text.startswith(end) for end in greatest.to_pylist()]
    return pc.or_(reached, pa.array(begins, pa.bool_()))


def _is_exact(found: pa.DataType) -> bool:
    if isinstance(found, pa.Decimal128Type):
        return bool(found.precision <= EXACT_DIGITS)
    return any(is_one(found) for is_one in _EXACT)


def _filled(found: Any, *, unknown: bool) -> Mask:
    filled: Mask = pc.fill_null(found, unknown)
    return filled
