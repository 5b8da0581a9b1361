import datetime as dt
import itertools
from random import Random
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_dfsession.delta.partitions import (
    Dimension,
    MultiKeys,
    PartitionRequest,
    StaticKeys,
    default_partition_columns,
    partition_predicate,
)
from dagster_dfsession.delta.predicate import And, In, Or, Range, to_expression
from dagster_dfsession.delta.windows import TimeWindows, Window
from dagster_dfsession.errors import PartitionError

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
COLUMNS: dict[str, pa.DataType] = {
    "k": pa.string(),
    "n": pa.int32(),
    "d": pa.date32(),
    "b": pa.bool_(),
    "ntz": pa.timestamp("us"),
    "tz": pa.timestamp("us", tz="UTC"),
    "x": pa.float64(),
    "m": pa.decimal128(5, 2),
}
SCHEMA = pa.schema(COLUMNS)


def day(column: str, number: int, zone: ZoneInfo = UTC) -> TimeWindows:
    return TimeWindows(column, (days(number, zone),))


def days(number: int, zone: ZoneInfo = UTC) -> Window:
    start = dt.datetime(2026, 3, 1, tzinfo=zone) + dt.timedelta(days=number)
    return start, start + dt.timedelta(days=1), f"{start:%Y-%m-%d}"


@pytest.mark.parametrize(
    ("column", "keys", "values"),
    [
        ("k", ("b", "a'1"), ("a'1", "b")),
        ("k", ("07", "7"), ("07", "7")),
        ("n", ("10", "-9"), (-9, 10)),
        (
            "d",
            ("2026-03-01", "1969-12-31"),
            (dt.date(1969, 12, 31), dt.date(2026, 3, 1)),
        ),
        ("b", ("true",), (True,)),
    ],
)
def test_static_keys_become_values_of_the_column(
    column: str, keys: tuple[str, ...], values: tuple[object, ...]
) -> None:
    assert partition_predicate(StaticKeys(column, keys), SCHEMA) == In(column, values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("column", "key"),
    [
        ("n", "07"),
        ("n", "+7"),
        ("n", "1_000"),
        ("n", "x"),
        ("n", "٣"),
        ("d", "2026-3-1"),
        ("d", "20260301"),
        ("b", "True"),
        ("ntz", "2026-03-01"),
        ("m", "1.50"),
    ],
)
def test_only_the_canonical_spelling_of_a_value_is_a_key(column: str, key: str) -> None:
    with pytest.raises(PartitionError, match="no value of column") as refused:
        partition_predicate(StaticKeys(column, (key,)), SCHEMA)
    assert repr(key) in str(refused.value)


@pytest.mark.parametrize(
    "request_",
    [StaticKeys("k", ()), TimeWindows("d", ()), TimeWindows("k", ()), MultiKeys(())],
)
def test_no_keys_are_an_error(request_: PartitionRequest) -> None:
    with pytest.raises(PartitionError, match="no partition keys"):
        partition_predicate(request_, SCHEMA)


def test_a_missing_column_is_an_error_that_lists_the_columns() -> None:
    with pytest.raises(PartitionError, match="the columns are b, d, k"):
        partition_predicate(StaticKeys("absent", ("a",)), SCHEMA)


def test_adjacent_days_become_one_range_of_dates() -> None:
    request = TimeWindows("d", (days(2), days(0), days(1)))
    assert partition_predicate(request, SCHEMA) == Range(
        "d", dt.date(2026, 3, 1), dt.date(2026, 3, 4)
    )


def test_a_gap_between_days_is_kept_open() -> None:
    assert partition_predicate(TimeWindows("d", (days(0), days(2))), SCHEMA) == Or(
        (
            Range("d", dt.date(2026, 3, 1), dt.date(2026, 3, 2)),
            Range("d", dt.date(2026, 3, 3), dt.date(2026, 3, 4)),
        )
    )


def test_a_date_column_takes_days_of_the_windows_own_zone() -> None:
    assert partition_predicate(day("d", 0, BERLIN), SCHEMA) == Range(
        "d", dt.date(2026, 3, 1), dt.date(2026, 3, 2)
    )
    start, end, key = days(0)
    shifted = (start.astimezone(BERLIN), end.astimezone(BERLIN), key)
    with pytest.raises(PartitionError, match="no start of a day"):
        partition_predicate(TimeWindows("d", (shifted,)), SCHEMA)


def test_a_day_that_begins_at_one_in_the_morning_is_a_day() -> None:
    zone = ZoneInfo("America/Sao_Paulo")  # midnight was skipped on 2018-11-04
    start = dt.datetime(2018, 11, 4, 1, tzinfo=zone)
    end = dt.datetime(2018, 11, 5, tzinfo=zone)
    request = TimeWindows("d", ((start, end, "2018-11-04"),))
    assert partition_predicate(request, SCHEMA) == Range(
        "d", dt.date(2018, 11, 4), dt.date(2018, 11, 5)
    )


def test_hours_do_not_fit_a_date_column() -> None:
    start = dt.datetime(2026, 3, 1, 5, tzinfo=UTC)
    hour = (start, start + dt.timedelta(hours=1), "2026-03-01-05:00")
    with pytest.raises(PartitionError, match="timestamp or string column"):
        partition_predicate(TimeWindows("d", (hour,), "%Y-%m-%d-%H:%M"), SCHEMA)


def test_without_a_time_zone_a_window_is_its_wall_clock() -> None:
    assert partition_predicate(day("ntz", 0, BERLIN), SCHEMA) == Range(
        "ntz", dt.datetime(2026, 3, 1), dt.datetime(2026, 3, 2)
    )


def test_with_a_time_zone_a_window_is_its_instants() -> None:
    assert partition_predicate(day("tz", 0, BERLIN), SCHEMA) == Range(
        "tz",
        dt.datetime(2026, 2, 28, 23, tzinfo=dt.timezone.utc),
        dt.datetime(2026, 3, 1, 23, tzinfo=dt.timezone.utc),
    )


def hour(utc_hour: int) -> Window:
    """An hour of the night in which Berlin's clocks go back, at 01:00 UTC."""
    start = dt.datetime(2026, 10, 25, utc_hour, tzinfo=dt.timezone.utc)
    end = start + dt.timedelta(hours=1)
    return start.astimezone(BERLIN), end.astimezone(BERLIN), f"{start:%H}"


def test_the_repeated_hour_has_no_wall_clock_of_its_own() -> None:
    for twice in (0, 1):  # both are 02:00 in Berlin
        with pytest.raises(PartitionError, match="the second time that this hour"):
            partition_predicate(TimeWindows("ntz", (hour(twice),)), SCHEMA)
    both = TimeWindows("ntz", (hour(1), hour(0)))
    assert partition_predicate(both, SCHEMA) == Range(
        "ntz", dt.datetime(2026, 10, 25, 2), dt.datetime(2026, 10, 25, 3)
    )


def test_the_repeated_hour_is_two_hours_of_instants() -> None:
    found = [partition_predicate(TimeWindows("tz", (hour(h),)), SCHEMA) for h in (0, 1)]
    assert found[0] != found[1]
    assert isinstance(found[0], Range)
    assert isinstance(found[1], Range)
    assert found[0].upper_exclusive == found[1].lower_inclusive


def test_windows_of_string_and_integer_columns_are_their_keys() -> None:
    assert partition_predicate(day("k", 0), SCHEMA) == In("k", ("2026-03-01",))
    start, end, _ = days(0)
    compact = TimeWindows("n", ((start, end, "20260301"),), "%Y%m%d")
    assert partition_predicate(compact, SCHEMA) == In("n", (20260301,))
    with pytest.raises(PartitionError, match="no value of column"):
        partition_predicate(day("n", 0), SCHEMA)


@pytest.mark.parametrize("column", ["d", "tz", "ntz"])
def test_a_window_needs_a_zone_and_some_length(column: str) -> None:
    naive = dt.datetime(2026, 1, 1)
    with pytest.raises(PartitionError, match="no time zone"):
        partition_predicate(TimeWindows(column, ((naive, naive, "k"),)), SCHEMA)
    start, _, key = days(0)
    with pytest.raises(PartitionError, match="is empty"):
        partition_predicate(TimeWindows(column, ((start, start, key),)), SCHEMA)


def pair(letter: str, number: int) -> tuple[Dimension, ...]:
    return StaticKeys("k", (letter,)), day("d", number)


def test_a_full_cross_of_dimensions_is_one_conjunction() -> None:
    keys = tuple(pair(letter, n) for letter in "ba" for n in (1, 0))
    assert partition_predicate(MultiKeys(keys), SCHEMA) == And(
        (In("k", ("a", "b")), Range("d", dt.date(2026, 3, 1), dt.date(2026, 3, 3)))
    )


def test_keys_that_are_no_cross_are_alternatives() -> None:
    keys = (pair("a", 0), pair("b", 1))
    assert partition_predicate(MultiKeys(keys), SCHEMA) == Or(
        (
            And(
                (In("k", ("a",)), Range("d", dt.date(2026, 3, 1), dt.date(2026, 3, 2)))
            ),
            And(
                (In("k", ("b",)), Range("d", dt.date(2026, 3, 2), dt.date(2026, 3, 3)))
            ),
        )
    )


def test_keys_with_different_dimensions_are_refused() -> None:
    swapped = tuple(reversed(pair("b", 1)))
    for other in (swapped, pair("b", 1)[:1]):
        with pytest.raises(PartitionError, match="same dimensions"):
            partition_predicate(MultiKeys((pair("a", 0), other)), SCHEMA)


pairs = st.sets(
    st.tuples(st.sampled_from("abc"), st.integers(0, 4)), min_size=1, max_size=12
)


@given(pairs, st.randoms())
def test_multi_keys_own_exactly_their_rows_in_any_order(
    keys: set[tuple[str, int]], random: Random
) -> None:
    shuffled = list(keys)
    random.shuffle(shuffled)
    predicate = partition_predicate(
        MultiKeys(tuple(pair(*k) for k in shuffled)), SCHEMA
    )
    ordered = MultiKeys(tuple(pair(*key) for key in sorted(keys)))
    assert predicate == partition_predicate(ordered, SCHEMA)

    every = list(itertools.product("abc", range(5)))
    rows = pa.table(
        {
            "k": [letter for letter, _ in every],
            "d": [dt.date(2026, 3, 1 + number) for _, number in every],
            "key": [f"{letter}{number}" for letter, number in every],
        }
    )
    owned = rows.filter(to_expression(predicate, rows.schema)).column("key").to_pylist()
    assert set(owned) == {f"{letter}{number}" for letter, number in keys}


@given(
    st.lists(st.integers(0, 9), min_size=1, unique=True),
    st.sampled_from(["d", "ntz", "tz", "k"]),
    st.randoms(),
)
def test_the_order_of_keys_never_matters(
    numbers: list[int], column: str, random: Random
) -> None:
    windows = [days(number, BERLIN) for number in numbers]
    shuffled = random.sample(windows, len(windows))
    assert partition_predicate(
        TimeWindows(column, tuple(windows)), SCHEMA
    ) == partition_predicate(TimeWindows(column, tuple(shuffled)), SCHEMA)
    letters = tuple(str(number) for number in numbers)
    assert partition_predicate(StaticKeys("n", letters), SCHEMA) == partition_predicate(
        StaticKeys("n", tuple(reversed(letters))), SCHEMA
    )


def test_new_tables_are_divided_by_all_columns_but_timestamps() -> None:
    keys = MultiKeys(((StaticKeys("k", ("a",)), day("tz", 0)),))
    assert default_partition_columns(keys, SCHEMA) == ("k",)
    assert default_partition_columns(day("d", 0), SCHEMA) == ("d",)
    assert default_partition_columns(day("ntz", 0), SCHEMA) == ()
    only = pa.schema({"k": pa.string()})  # files need a column that is left to them
    assert default_partition_columns(StaticKeys("k", ("a",)), only) == ()
    with pytest.raises(PartitionError):
        default_partition_columns(StaticKeys("x", ("1",)), SCHEMA)
