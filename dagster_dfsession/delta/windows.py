"""Windows of time as ranges of a date or timestamp column."""

import datetime as dt
from collections.abc import Iterable
from typing import TypeAlias

import msgspec
import pyarrow as pa

from dagster_dfsession.delta.predicate import Range
from dagster_dfsession.errors import PartitionError

Window: TypeAlias = tuple[dt.datetime, dt.datetime, str]
"""Start, end (exclusive), key. Both times have the partitions' time zone."""


class TimeWindows(msgspec.Struct, frozen=True, tag_field="kind", tag="windows"):
    """Time partitions: each key names one window of time.

    Attributes:
        column: A date, timestamp, string or integer column.
        windows: In any order.
        key_format: How the keys are written, for messages.
    """

    column: str
    windows: tuple[Window, ...]
    key_format: str = "%Y-%m-%d"


def window_ranges(request: TimeWindows, found: pa.DataType) -> list[Range]:
    """Return the ranges that the windows cover, adjacent ones merged, in order.

    Args:
        request: The windows.
        found: The column's type: a date or a timestamp.

    Raises:
        PartitionError: A window is empty, has no time zone, is no span of whole days
            (date column), or begins or ends within a repeated hour (wall clock).

    Examples:
        >>> day = [dt.datetime(2026, 3, d, tzinfo=dt.timezone.utc) for d in (1, 2, 3)]
        >>> windows = ((day[1], day[2], "2026-03-02"), (day[0], day[1], "2026-03-01"))
        >>> window_ranges(TimeWindows("d", windows), pa.date32())[0].upper_exclusive
        datetime.date(2026, 3, 3)
    """
    return [
        Range(request.column, *(_bound(bound, request, found) for bound in span))
        for span in _merged(request.windows)
    ]


def _merged(windows: Iterable[Window]) -> list[tuple[dt.datetime, dt.datetime]]:
    for start, end, key in windows:
        if start.utcoffset() is None or end.utcoffset() is None:
            raise PartitionError(
                f"the window of the partition key {key!r}, {start} to {end}, has no "
                "time zone; give both bounds as aware datetimes"
            )
        if _instant(start) >= _instant(end):
            raise PartitionError(
                f"the window of the partition key {key!r}, {start} to {end}, is empty"
            )
    merged: list[tuple[dt.datetime, dt.datetime]] = []
    for start, end, _ in sorted(windows, key=lambda window: _instant(window[0])):
        if not merged or _instant(start) > _instant(merged[-1][1]):
            merged.append((start, end))
        elif _instant(end) > _instant(merged[-1][1]):
            merged[-1] = (merged[-1][0], end)
    return merged


def _instant(time: dt.datetime) -> dt.datetime:
    # Python compares two times of one zone by their wall clock, which repeats.
    return time.astimezone(dt.timezone.utc)


def _bound(
    time: dt.datetime, request: TimeWindows, found: pa.DataType
) -> dt.date | dt.datetime:
    if pa.types.is_date32(found):
        midnight = time.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        if _instant(midnight) != _instant(time):
            raise PartitionError(
                f"the time partitions of the date column {request.column!r} begin or "
                f"end at {time}, which is no start of a day; a date cannot tell the "
                f"parts of a day apart. Keys written {request.key_format!r} need a "
                "timestamp or string column."
            )
        return time.date()
    if isinstance(found, pa.TimestampType) and found.tz is not None:
        return _instant(time)
    wall = time.replace(tzinfo=None, fold=0)
    if _instant(wall.replace(tzinfo=time.tzinfo)) != _instant(time):
        raise PartitionError(
            f"a window of column {request.column!r} begins or ends at {time}, the "
            "second time that this hour shows on the clock that day; a timestamp "
            "without time zone cannot tell the two apart. Use a timestamp column with "
            "a time zone, or write the neighbouring window in the same run."
        )
    return wall
