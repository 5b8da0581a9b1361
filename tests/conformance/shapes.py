"""Partitions and columns: what there is to write, and how it is spelled as keys."""

import datetime as dt
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pyarrow as pa

WALL = pa.timestamp("us")
UTC = pa.timestamp("us", "UTC")
ABC = dg.StaticPartitionsDefinition(["b", "a", "c"])
DAILY = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-03-20")
HOURLY = dg.HourlyPartitionsDefinition("2026-03-01-00:00", end_date="2026-03-03-00:00")
WEEKLY = dg.WeeklyPartitionsDefinition("2026-03-01", end_date="2026-05-01")
MONTHLY = dg.MonthlyPartitionsDefinition("2025-12-01", end_date="2026-06-01")
NEW_YORK_DAILY = dg.DailyPartitionsDefinition(
    "2026-03-01", end_date="2026-03-20", timezone="America/New_York"
)
NEW_YORK_HOURLY = dg.HourlyPartitionsDefinition(
    "2026-11-01-00:00", end_date="2026-11-02-00:00", timezone="America/New_York"
)
INSTANT = dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class Shape:
    """Partitions of an asset, and the rows of some keys.

    Attributes:
        definition: Its partitions.
        expression: The column of the keys, or one for each dimension.
        columns: The columns of the keys and their types.
        keys: Neighbouring keys, in the order of the definition.
        values: For each key, what these columns hold in two rows.
        part: Positions of those keys that a range has from the first to the last
            of them.
    """

    definition: dg.PartitionsDefinition
    expression: str | Mapping[str, str]
    columns: Mapping[str, pa.DataType]
    keys: Sequence[str]
    values: Sequence[tuple[tuple[Any, ...], tuple[Any, ...]]]
    part: tuple[int, ...] = (1, 2)

    @property
    def schema(self) -> pa.Schema:
        """The columns of the keys, the number of the run and a value."""
        kinds = {**self.columns, "run": pa.int64(), "value": pa.float64()}
        return pa.schema(list(kinds.items()))

    def table(self, numbers: Sequence[int], run: int) -> pa.Table:
        """Return two rows for each of the keys by position; a value may be absent."""
        rows = [
            (*value, run, amount)
            for number in numbers
            for value, amount in zip(self.values[number], (0.5, None), strict=True)
        ]
        named = [dict(zip(self.schema.names, row, strict=True)) for row in rows]
        return pa.Table.from_pylist(named, self.schema)


def listed(keys: Sequence[str], kind: pa.DataType, values: Sequence[Any]) -> Shape:
    """Return static partitions; both rows of a key are alike."""
    return Shape(
        dg.StaticPartitionsDefinition(list(keys)),
        "k",
        {"k": kind},
        keys,
        [((value,), (value,)) for value in values],
        (1, 2)[: len(keys) - 1],
    )


def dynamic(key: str) -> Shape:
    """Return dynamic partitions; the second key is the given one."""
    keys = ("plain", key, "other")
    return Shape(
        dg.DynamicPartitionsDefinition(name=f"keys of {key!r}"),
        "k",
        {"k": pa.string()},
        keys,
        [((each,), (each,)) for each in keys],
    )


def windows(
    definition: dg.TimeWindowPartitionsDefinition, first: str, kind: pa.DataType
) -> Shape:
    """Return three windows; a key's rows are at its first and its last instant."""
    every = definition.get_partition_keys()
    at = every.index(first)
    keys = every[at : at + 3]
    return Shape(
        definition,
        "t",
        {"t": kind},
        keys,
        [tuple((each,) for each in bounds(definition, key, kind)) for key in keys],  # type: ignore[misc]
    )


def bounds(
    definition: dg.TimeWindowPartitionsDefinition, key: str, kind: pa.DataType
) -> Iterator[Any]:
    """Yield the first and the last value of a column that a window has."""
    window = definition.time_window_for_partition_key(key)
    # Arithmetic on times of a zone with a clock change is right in UTC alone.
    begin, end = (each.astimezone(dt.timezone.utc) for each in window)
    for instant in (begin, end - INSTANT):
        if pa.types.is_string(kind):
            yield key
        elif pa.types.is_date(kind):
            yield instant.date()
        else:
            yield instant if kind == UTC else instant.replace(tzinfo=None)


def grid(first: tuple[str, Shape], second: tuple[str, Shape], *names: str) -> Shape:
    """Return the product of a dimension of three keys and one of two.

    Args:
        first: The dimension that comes first in a key, by its name, which sorts first.
        second: The other.
        names: The dimensions in the order in which their columns are named.
    """
    shapes = dict((first, second))
    column = {name: next(iter(shape.columns)) for name, shape in shapes.items()}
    cells = list(itertools.product(range(3), range(2)))
    (_, one), (_, two) = first, second
    return Shape(
        dg.MultiPartitionsDefinition(
            {name: shape.definition for name, shape in shapes.items()}
        ),
        {name: column[name] for name in names},
        {column[name]: shapes[name].columns[column[name]] for name in shapes},
        [f"{one.keys[a]}|{two.keys[b]}" for a, b in cells],
        [
            tuple(  # type: ignore[misc]
                left + right
                for left, right in zip(one.values[a], two.values[b], strict=True)
            )
            for a, b in cells
        ],
        (0, 2),  # the first two keys of one dimension, the first of the other
    )


def static(name: str, *keys: str) -> Shape:
    """Return static partitions over a text column."""
    shape = listed(keys, pa.string(), keys)
    return Shape(
        shape.definition, name, {name: pa.string()}, keys, shape.values, shape.part
    )


DAYS = windows(DAILY, "2026-03-01", pa.date32())
HOURS = windows(HOURLY, "2026-03-01-22:00", UTC)
XY = static("kind", "x", "y")

SHAPES: Mapping[str, Shape] = {
    "static, string": listed(("b", "a", "c"), pa.string(), ("b", "a", "c")),
    "static, int": listed(("9", "10", "-1"), pa.int64(), (9, 10, -1)),
    "static, bool": listed(("true", "false"), pa.bool_(), (True, False)),
    "dynamic, a quote": dynamic("k'1"),
    "dynamic, a double quote": dynamic('k"1'),
    "dynamic, a space": dynamic("k 1"),
    "dynamic, a slash": dynamic("k/1"),
    "dynamic, a percent sign": dynamic("50%25"),
    "dynamic, unicode": dynamic("käse→"),
    "dynamic, an equals sign": dynamic("k=1"),
    "daily, date": DAYS,
    "daily, string": windows(DAILY, "2026-03-01", pa.string()),
    "daily, naive timestamp": windows(DAILY, "2026-03-01", WALL),
    "daily, UTC timestamp": windows(DAILY, "2026-03-01", UTC),
    "daily in New York, clock change": windows(NEW_YORK_DAILY, "2026-03-07", UTC),
    "hourly, naive timestamp": windows(HOURLY, "2026-03-01-22:00", WALL),
    "hourly, UTC timestamp": HOURS,
    "hourly in New York, repeated hour": windows(
        NEW_YORK_HOURLY, "2026-11-01-01:00", UTC
    ),
    "weekly, date": windows(WEEKLY, "2026-03-01", pa.date32()),
    "monthly, naive timestamp": windows(MONTHLY, "2025-12-01", WALL),
    "date x static": grid(("day", DAYS), ("kind", XY), "day", "kind"),
    # The columns are named in the other order than the dimensions have.
    "static x date": grid(
        ("area", static("area", "n", "s", "w")), ("day", DAYS), "day", "area"
    ),
    "static x static": grid(
        ("area", static("area", "n", "s", "w")), ("kind", XY), "area", "kind"
    ),
    "hour x static": grid(("hour", HOURS), ("kind", XY), "hour", "kind"),
}
