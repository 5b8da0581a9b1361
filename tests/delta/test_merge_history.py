"""Histories: slowly changing dimensions of type 2, one commit a merge."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.merges import Scd2
from dagster_dfsession.delta.written import WriteResult
from dagster_dfsession.errors import CommitError, SchemaMismatchError
from tests.delta.writing import rows_of, write

ON = ("id",)
MAY, JUNE, JULY = (dt.datetime(2026, n, 1, tzinfo=dt.timezone.utc) for n in (5, 6, 7))


def merge(
    place: Location, data: Any, at: dt.datetime = MAY, **fields: Any
) -> WriteResult:
    return write(place, data, mode="merge", merge=Scd2(on=ON, **fields), run_start=at)


def test_a_change_ends_one_version_and_starts_another_in_one_commit(
    place: Location,
) -> None:
    merge(place, {"id": [1, 2], "x": ["a", "b"]})
    result = merge(place, {"id": [1, 3], "x": ["A", "c"]}, JUNE)

    assert result.merged is not None
    assert (result.merged.inserted, result.merged.updated) == (2, 1)
    assert DeltaTable(place.uri).version() == result.version == 2
    old, new = {"valid_from": MAY}, {"valid_from": JUNE}
    open_, ended = (
        {"valid_to": None, "is_current": True},
        {"valid_to": JUNE, "is_current": False},
    )
    assert rows_of(place) == [
        {"id": 1, "is_current": False, "x": "a"} | old | ended,
        {"id": 1, "is_current": True, "x": "A"} | new | open_,
        {"id": 2, "is_current": True, "x": "b"} | old | open_,
        {"id": 3, "is_current": True, "x": "c"} | new | open_,
    ]


def test_rows_that_did_not_change_are_not_touched(place: Location) -> None:
    merge(place, {"id": [1], "x": ["a"]})
    files = DeltaTable(place.uri).file_uris()
    assert not merge(place, {"id": [1], "x": ["a"]}, JUNE).wrote
    merge(place, {"id": [2], "x": ["b"]}, JUNE)
    assert set(files) < set(DeltaTable(place.uri).file_uris())


def test_what_comes_back_starts_again(place: Location) -> None:
    """Its old versions are ended, and stay so."""
    merge(place, {"id": [1], "x": ["a"]}, close_missing=True)
    gone = pa.table({"id": [1], "x": ["a"]}).slice(0, 0)
    merge(place, gone, JUNE, close_missing=True)
    merge(place, {"id": [1], "x": ["a"]}, JULY, close_missing=True)
    assert [(r["valid_from"], r["valid_to"]) for r in rows_of(place)] == [
        (MAY, JUNE),
        (JULY, None),
    ]


def test_only_a_change_of_a_tracked_column_starts_a_version(place: Location) -> None:
    frame = {"id": [1, 2], "x": ["a", "b"], "seen": [1, 1]}
    merge(place, frame, tracked=("x",))
    frame = {"id": [1, 2], "x": ["a", "B"], "seen": [2, 2]}
    merge(place, frame, JUNE, tracked=("x",))
    found = {(row["x"], row["seen"], row["is_current"]) for row in rows_of(place)}
    assert found == {("a", 1, True), ("b", 1, False), ("B", 2, True)}


@pytest.mark.parametrize(
    "times",
    [
        (dt.date(2026, 5, 1), dt.date(2026, 6, 1), dt.date(2026, 7, 1)),
        tuple(dt.datetime(2026, n, 1, 12) for n in (5, 6, 7)),
        (MAY, JUNE, JULY),
    ],
    ids=["date", "wall clock", "instant"],
)
def test_the_frame_may_say_from_when_its_rows_hold(place: Location, times: Any) -> None:
    """What it lacks still ends when the run started: the frame has no time for it."""
    first, second, _ = times
    by: dict[str, Any] = {
        "effective": "since",
        "close_missing": True,
        "valid_to": "until",
    }
    merge(place, {"id": [1, 2], "x": ["a", "b"], "since": [first, first]}, **by)
    merge(place, {"id": [1], "x": ["A"], "since": [second]}, JULY, **by)
    found = {row["x"]: (row["valid_from"], row["until"]) for row in rows_of(place)}
    july = times[2]
    if isinstance(july, dt.datetime) and july.tzinfo is None:
        july = JULY.replace(tzinfo=None)
    assert found == {
        "a": (first, second),
        "A": (second, None),
        "b": (first, july),
    }
    assert "since" in rows_of(place)[0]


def test_the_time_may_have_the_name_of_the_column_it_fills(place: Location) -> None:
    by: dict[str, Any] = {"effective": "valid_from"}
    merge(place, {"id": [1], "x": ["a"], "valid_from": [MAY]}, **by)
    merge(place, {"id": [1], "x": ["A"], "valid_from": [JUNE]}, **by)
    assert [(r["valid_from"], r["valid_to"]) for r in rows_of(place)] == [
        (MAY, JUNE),
        (JUNE, None),
    ]


@pytest.mark.parametrize("late", [MAY, JUNE], ids=["before", "same"])
def test_a_version_that_would_end_before_it_begins_is_refused(
    place: Location, late: dt.datetime
) -> None:
    merge(place, {"id": [1], "x": ["it's"]}, JUNE)
    with pytest.raises(CommitError) as refused:
        merge(place, {"id": [1], "x": ["A"]}, late)
    assert str(refused.value) == (
        f"{place}: id 1 was to change at {late:%Y-%m-%dT%H:%M:%SZ}, but its current "
        "version holds from 2026-06-01T00:00:00Z on; a version cannot end before it "
        "begins, and nothing was written. Merge the changes in the order of their "
        "times, and one time a version."
    )
    assert len(rows_of(place)) == 1


def test_a_date_that_comes_too_late_is_refused_too(place: Location) -> None:
    day = dt.date(2026, 5, 1)
    merge(place, {"id": ["it's"], "x": [1], "d": [day]}, effective="d")
    with pytest.raises(CommitError, match="id it's was to change at 2026-05-01, but"):
        merge(place, {"id": ["it's"], "x": [2], "d": [day]}, effective="d")


@pytest.mark.parametrize(
    ("frame", "fields", "message"),
    [
        (
            {"x": [1], "valid_to": [1]},
            {},
            "has the columns valid_to, which the merge f",
        ),
        ({"x": [1]}, {"tracked": ("xx",)}, "names the column 'xx'.*mean 'x'"),
        ({"x": [1]}, {"effective": "x"}, "time from 'x', which is of type int64"),
        ({"x": [1]}, {"valid_to": "valid_from"}, "give each a name of its own"),
        (
            {"x": pa.array([None], pa.date32())},
            {"effective": "x"},
            "1 of 1 rows of a b",
        ),
    ],
    ids=["taken", "tracked", "no time", "one name", "null"],
)
def test_what_does_not_fit_is_refused_before_a_table_is_created(
    place: Location, frame: Any, fields: Any, message: str
) -> None:
    with pytest.raises(SchemaMismatchError, match=message):
        merge(place, {"id": [1], **frame}, **fields)
    assert not DeltaTable.is_deltatable(place.uri)
