"""Rows counted for each partition key while they pass."""

import datetime as dt
import itertools
from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_dfsession.delta.partitions import (
    MultiKeys,
    PartitionRequest,
    StaticKeys,
    partition_predicate,
)
from dagster_dfsession.delta.predicate import to_expression
from dagster_dfsession.delta.windows import TimeWindows, Window
from dagster_dfsession.errors import PartitionError
from dagster_dfsession.materialization.row_counter import RowCounter

UTC = dt.timezone.utc
START = dt.datetime(1969, 12, 31, 22, tzinfo=UTC)  # before and after the epoch
WALL, INSTANT = pa.timestamp("us"), pa.timestamp("us", "UTC")


def window(first: int, last: int) -> Window:
    """Hours from the start; the key is the first one's number."""
    span = (START + dt.timedelta(hours=h) for h in (first, last))
    start, end = span
    return (start, end, f"h{first}")


def counts(
    request: PartitionRequest, keys: list[str], rows: pa.Table, chunk: int = 3
) -> dict[str, int]:
    counter = RowCounter(request, keys, rows.schema)
    for _ in counter.counted(
        pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(chunk))
    ):
        pass
    return counter.rows()


@given(
    cuts=st.lists(st.integers(0, 12), min_size=2, max_size=6, unique=True),
    minutes=st.lists(st.integers(-60, 13 * 60), max_size=30),
    kind=st.sampled_from([WALL, INSTANT]),
    skipped=st.integers(0, 6),
)
def test_windows_are_counted_as_their_predicates_select(
    cuts: list[int], minutes: list[int], kind: pa.DataType, skipped: int
) -> None:
    """Windows of unlike length, with gaps, on both sides of 1970."""
    bounds = sorted(cuts)
    windows = [window(a, b) for a, b in itertools.pairwise(bounds)]
    windows = windows[:skipped] + windows[skipped + 1 :]
    if not windows:
        return
    times = [START + dt.timedelta(minutes=m) for m in minutes]
    naive = kind == WALL
    rows = pa.table(
        {"t": pa.array([t.replace(tzinfo=None) if naive else t for t in times], kind)}
    )

    found = counts(TimeWindows("t", tuple(windows)), [w[2] for w in windows], rows)

    assert found == {
        each[2]: rows.filter(
            to_expression(
                partition_predicate(TimeWindows("t", (each,)), rows.schema), rows.schema
            )
        ).num_rows
        for each in windows
    }


@pytest.mark.parametrize(
    ("kind", "values", "keys"),
    [
        (pa.string(), ["b", "a", "b", "z"], ["a", "b", "c"]),
        (pa.int8(), [-1, 10, -1, 9], ["-1", "10", "7"]),
        (pa.bool_(), [True, False, True], ["true", "false"]),
        (pa.date32(), [dt.date(2026, 3, d) for d in (1, 2, 1)], ["2026-03-01"]),
    ],
    ids=str,
)
def test_values_are_counted_by_how_their_keys_are_spelt(
    kind: pa.DataType, values: list[Any], keys: list[str]
) -> None:
    spelt = [str(v).lower() if isinstance(v, bool) else str(v) for v in values]
    rows = pa.table({"k": pa.array(values, kind)})
    found = counts(StaticKeys("k", tuple(keys)), keys, rows)
    assert found == {key: spelt.count(key) for key in keys}


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()], ids=str)
def test_encoded_values_are_counted_as_what_they_encode(kind: Any) -> None:
    schema = pa.schema({"k": pa.string()})
    rows = pa.table({"k": pa.array(["a", "b", "a"], kind).dictionary_encode()})
    counter = RowCounter(StaticKeys("k", ("a", "b")), ["a", "b"], schema)
    assert counter.counted(rows.to_reader()).read_all().num_rows == 3
    assert counter.rows() == {"a": 2, "b": 1}


def test_days_are_counted_in_windows_of_several() -> None:
    days = [dt.datetime(2026, 3, d, tzinfo=UTC) for d in (1, 8, 15)]
    weeks = tuple((a, b, a.date().isoformat()) for a, b in itertools.pairwise(days))
    rows = pa.table({"d": [dt.date(2026, 3, d) for d in (1, 7, 8, 14, 15, 28)]})
    assert counts(TimeWindows("d", weeks), [w[2] for w in weeks], rows) == {
        "2026-03-01": 2,
        "2026-03-08": 2,
    }


def test_dimensions_are_counted_together() -> None:
    parts = [(window(h, h + 1), k) for h in (0, 1) for k in ("x", "y")]
    request = MultiKeys(
        tuple((TimeWindows("t", (w,)), StaticKeys("k", (k,))) for w, k in parts)
    )
    keys = [f"{w[2]}|{k}" for w, k in parts]
    found = [(0, "x"), (0, "x"), (1, "y"), (1, "z"), (5, "x")]
    rows = pa.table(
        {
            "k": [k for _, k in found],
            "t": pa.array([START + dt.timedelta(hours=h) for h, _ in found], INSTANT),
        }
    )
    assert counts(request, keys, rows) == {
        "h0|x": 2,
        "h0|y": 0,
        "h1|x": 0,
        "h1|y": 1,
    }


def test_counting_does_not_grow_with_the_keys() -> None:
    """A year of hours in one run is grouped as few rows are."""
    windows = tuple(window(h, h + 1) for h in range(8760))
    keys = [w[2] for w in windows]
    times = [START + dt.timedelta(hours=h % 8760) for h in range(20_000)]
    rows = pa.table({"t": pa.array(times, INSTANT)})
    found = counts(TimeWindows("t", windows), keys, rows, chunk=8192)
    assert Counter(found.values()) == Counter({3: 2480, 2: 6280})


def test_a_window_that_a_clock_cannot_tell_from_another_is_not_counted() -> None:
    """In Vienna, the hour from two to three shows twice that night."""
    vienna = ZoneInfo("Europe/Vienna")
    second = dt.datetime(2026, 10, 25, 2, fold=1, tzinfo=vienna)
    late = (second, dt.datetime(2026, 10, 25, 3, tzinfo=vienna), "late")
    with pytest.raises(PartitionError, match="the second time that this hour shows"):
        RowCounter(TimeWindows("t", (late,)), ["late"], pa.schema({"t": WALL}))
