"""Each kind of merge, against the few lines of Python that say what it means."""

import datetime as dt
import tempfile
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.merges import (
    DeleteMatched,
    FullSync,
    InsertOnly,
    Scd2,
    Upsert,
)
from tests.delta.writing import owning, rows_of, write

Row = dict[str, Any]
Kind = type[Upsert | InsertOnly | DeleteMatched | FullSync]
Key = tuple[str, int]

SCHEMA = pa.table({"k": ["a"], "id": [1], "Va'l": ["a"], "f": [1.5]}).schema
START = dt.datetime(2026, 3, 1, tzinfo=dt.timezone.utc)
BY_KEY = ("k", "id")

values = st.none() | st.sampled_from(["", "a", "it's", 'quo"te', "a\\b", "é"])
floats = st.none() | st.sampled_from([0.0, 1.5, float("nan"), float("inf")])


def frames(partitions: str = "ab") -> st.SearchStrategy[list[Row]]:
    row = st.fixed_dictionaries(
        {
            "k": st.sampled_from(partitions),
            "id": st.integers(0, 5),
            "Va'l": values,
            "f": floats,
        }
    )
    return st.lists(row, max_size=6, unique_by=lambda r: (r["k"], r["id"]))


def meaning(kind: Kind, held: list[Row], frame: list[Row]) -> list[Row]:
    """The rows after the merge, in plain Python."""
    old = {(r["k"], r["id"]): r for r in held}
    new = {(r["k"], r["id"]): r for r in frame}
    found: dict[Key, Row] = {}
    if kind is Upsert:
        found = old | new
    elif kind is InsertOnly:
        found = new | old
    elif kind is DeleteMatched:
        found = {key: row for key, row in old.items() if key not in new}
    elif kind is FullSync:
        found = new
    return list(found.values())


def shown(rows: list[Row]) -> list[str]:
    """NaN is not equal to itself, but prints so."""
    return sorted(str(sorted(row.items())) for row in rows)


def table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@settings(max_examples=25)
@given(
    held=frames(),
    frame=frames(),
    kind=st.sampled_from([Upsert, InsertOnly, DeleteMatched, FullSync]),
    divided=st.booleans(),
)
def test_a_merge_leaves_the_rows_that_its_kind_means(
    held: list[Row], frame: list[Row], kind: Kind, *, divided: bool
) -> None:
    with tempfile.TemporaryDirectory() as root:
        place = Location(f"{root}/t")
        by = ("k",) if divided else ()
        write(place, table(held), partition_by=by)

        result = write(place, table(frame), mode="merge", merge=kind(on=BY_KEY))

        expected = shown(meaning(kind, held, frame))
        assert shown(rows_of(place)) == expected
        before, merged = len(held), result.merged
        assert merged is not None
        assert before + merged.inserted - merged.deleted == len(expected)
        assert result.wrote is (shown(held) != expected)
        again = write(place, table(frame), mode="merge", merge=kind(on=BY_KEY))
        assert (again.wrote, again.version) == (False, result.version)


@settings(max_examples=25)
@given(
    held=frames(),
    frame=frames("a"),
    kind=st.sampled_from([Upsert, InsertOnly, DeleteMatched, FullSync]),
    divided=st.booleans(),
)
def test_a_merge_of_a_partition_leaves_the_others_alone(
    held: list[Row], frame: list[Row], kind: Kind, *, divided: bool
) -> None:
    """Also where the keys alone do not tell the partitions apart."""
    with tempfile.TemporaryDirectory() as root:
        place = Location(f"{root}/t")
        by = {"partition_by": ("k",) if divided else ()}
        write(place, table(held), **by)

        own = owning("a") | by
        write(place, table(frame), mode="merge", merge=kind(on=("id",)), **own)

        others = [row for row in held if row["k"] != "a"]
        mine = meaning(kind, [row for row in held if row["k"] == "a"], frame)
        assert shown(rows_of(place)) == shown(others + mine)


def history(
    versions: list[Row], frame: list[Row], at: dt.datetime, *, close_missing: bool
) -> list[Row]:
    """The versions after a merge, in plain Python."""
    found = [dict(version) for version in versions]
    current = {(v["k"], v["id"]): v for v in found if v["is_current"]}
    new = {(r["k"], r["id"]): r for r in frame}
    ended = {"valid_to": at, "is_current": False}
    for key, version in current.items():
        if key in new:
            if any(str(version[n]) != str(v) for n, v in new[key].items()):
                version.update(ended)
        elif close_missing:
            version.update(ended)
    for key, row in new.items():
        if key not in current or not current[key]["is_current"]:
            opened = {"valid_from": at, "valid_to": None, "is_current": True}
            found.append(row | opened)
    return found


@settings(max_examples=15)
@given(
    frames_of_days=st.lists(frames(), min_size=2, max_size=4),
    close_missing=st.booleans(),
)
def test_a_history_has_every_version_of_every_key(
    frames_of_days: list[list[Row]], *, close_missing: bool
) -> None:
    merge = Scd2(on=BY_KEY, close_missing=close_missing)
    versions: list[Row] = []
    with tempfile.TemporaryDirectory() as root:
        place = Location(f"{root}/t")
        for number, frame in enumerate(frames_of_days):
            at = START + dt.timedelta(days=number)
            versions = history(versions, frame, at, close_missing=close_missing)
            write(place, table(frame), mode="merge", merge=merge, run_start=at)
            found = [row | {} for row in rows_of(place)]
            assert shown(_plain(found)) == shown(_plain(versions))


def _plain(rows: list[Row]) -> list[Row]:
    return [
        {k: v.isoformat() if isinstance(v, dt.datetime) else v for k, v in row.items()}
        for row in rows
    ]
