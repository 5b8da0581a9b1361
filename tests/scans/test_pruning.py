"""What the log leaves out of its statistics costs speed, never rows."""

import datetime as dt
import json
import operator as python
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from dagster_dfsession.delta.data_files import DataFiles
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.pruning import Compare, Operator, may_match
from dagster_dfsession.pool import reading as reading_module
from dagster_dfsession.pool.reading import NATIVE
from dagster_dfsession.query import rebinding
from tests.scans.foreign import write_foreign
from tests.scans.reading import Reader, by_deltalake, reader_of, unordered

MOMENT = dt.datetime(2024, 1, 1, 0, 0, 0, 123_456)
DAY = dt.date(2024, 1, 1)
OPERATORS: Mapping[Operator, Callable[[Any, Any], bool]] = {
    "=": python.eq,
    "!=": python.ne,
    "<": python.lt,
    "<=": python.le,
    ">": python.gt,
    ">=": python.ge,
}
TEXT: list[dict[str, Any]] = [
    {"name": "s", "type": "string", "nullable": True, "metadata": {}}
]


def check(root: Path, query: str) -> int:
    """Compare with deltalake's reader; return how many files were read."""
    with reader_of(root) as reader:
        (read,) = reader.read(query).tables.values()
        assert read.how == NATIVE
        found = unordered(reader.rows(query))
        assert found == unordered(by_deltalake(root / "t", query))
        assert found
        return read.files


@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("operator", ["=", ">=", "<="])
def test_a_time_between_two_milliseconds_is_found(
    tmp_path: Path, zone: str | None, operator: str
) -> None:
    kind = pa.timestamp("us", zone)
    for moment in (MOMENT, MOMENT + dt.timedelta(days=1)):
        part = pa.table({"at": pa.array([moment], kind)})
        write_deltalake(str(tmp_path / "t"), part, mode="append")
    suffix = "Z" if zone else ""
    literal = f"TIMESTAMP '{MOMENT.isoformat()}{suffix}'"

    files = check(tmp_path, f"SELECT at FROM t WHERE at {operator} {literal}")
    assert files == (2 if operator == ">=" else 1)


@pytest.mark.parametrize(
    ("condition", "files"),
    [
        ("day = TIMESTAMP '2024-01-05'", 1),
        ("day >= TIMESTAMP '2024-01-05'", 6),
        ("day < TIMESTAMP '2024-01-05 00:00:00.000001'", 5),
        ("day > TIMESTAMP '2024-01-04 12:00:00' AND day < TIMESTAMP '2024-01-06'", 1),
        ("day < TIMESTAMP '2024-01-02' OR day > TIMESTAMP '2024-01-09 12:00:00'", 2),
    ],
)
def test_dates_are_pruned_by_moments(
    tmp_path: Path, condition: str, files: int
) -> None:
    write_days(tmp_path / "t", 10)
    assert check(tmp_path, f"SELECT * FROM t WHERE {condition}") == files


def write_days(table: Path, days: int, *partition_by: str) -> None:
    """Write a file a day."""
    for at in range(days):
        rows = pa.table({"day": [DAY + dt.timedelta(days=at)], "n": [at]})
        write_deltalake(table, rows, mode="append", partition_by=[*partition_by])


@pytest.fixture(scope="module", params=[(), ("day",)], ids=["files", "partitions"])
def days(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> DataFiles:
    table = tmp_path_factory.mktemp("days")
    write_days(table, 4, *request.param)
    return DataFiles(DeltaTable(table), Location(str(table)))


@given(
    day=st.dates(DAY - dt.timedelta(days=1), DAY + dt.timedelta(days=5)),
    time=st.just(dt.time()) | st.times(),
    operator=st.sampled_from(sorted(OPERATORS)),
)
def test_a_day_is_kept_that_a_moment_lets_through(
    days: DataFiles, day: dt.date, time: dt.time, operator: Operator
) -> None:
    moment = dt.datetime.combine(day, time)
    value = pa.scalar(moment, pa.timestamp("ns"))
    each = days.least("day")
    begins = days.partition_values("day") if each is None else each
    let_through = [
        OPERATORS[operator](dt.datetime.combine(begin.as_py(), dt.time()), moment)
        for begin in begins
    ]

    kept = may_match(Compare("day", operator, value, cast=True), days).to_pylist()
    if operator in ("=", "!="):
        assert all(
            mine or not need for mine, need in zip(kept, let_through, strict=True)
        )
    else:
        assert kept == let_through


@pytest.mark.parametrize("condition", ["s = 'abcdef'", "s > 'abcd'", "s >= 'abc'"])
def test_a_text_that_the_log_cut_off_is_found(tmp_path: Path, condition: str) -> None:
    stats = {
        "numRecords": 1,
        "minValues": {"s": "abc"},
        "maxValues": {"s": "abc"},
        "nullCount": {"s": 0},
    }
    write_foreign(
        tmp_path / "t",
        pa.table({"s": ["abcdef"]}),
        fields=TEXT,
        add={"stats": json.dumps(stats)},
    )
    assert check(tmp_path, f"SELECT s FROM t WHERE {condition}") == 1


def test_a_decimal_that_its_writer_rounded_in_the_log_is_found(tmp_path: Path) -> None:
    price = Decimal("12345678901234567.891")
    bounds = {"price": float(price)}
    stats = {"numRecords": 1, "minValues": bounds, "maxValues": bounds}
    kind = {"name": "price", "type": "decimal(20,3)", "nullable": True, "metadata": {}}
    write_foreign(
        tmp_path / "t",
        pa.table({"price": pa.array([price], pa.decimal128(20, 3))}),
        fields=[kind],
        add={"stats": json.dumps(stats)},
    )
    literal = f"CAST('{price}' AS DECIMAL(20, 3))"

    check(tmp_path, f"SELECT price FROM t WHERE price = {literal}")


def test_statistics_of_the_first_columns_only_prune_by_those(tmp_path: Path) -> None:
    for number in range(3):
        write_deltalake(
            str(tmp_path / "t"),
            pa.table({"a": [number], "b": [number]}),
            mode="append",
            configuration={"delta.dataSkippingNumIndexedCols": "1"},
        )
    assert check(tmp_path, "SELECT b FROM t WHERE a = 1") == 1
    assert check(tmp_path, "SELECT a FROM t WHERE b = 1") == 3


def test_files_without_statistics_are_all_read(tmp_path: Path) -> None:
    write_foreign(tmp_path / "t", pa.table({"n": [1, 2]}), add={"stats": None})
    assert check(tmp_path, "SELECT n FROM t WHERE n = 2") == 1


def test_files_that_a_column_is_too_new_for_have_nulls_of_it(tmp_path: Path) -> None:
    write_deltalake(str(tmp_path / "t"), pa.table({"n": [1]}))
    later = pa.table({"m": [5], "n": [2]})
    write_deltalake(str(tmp_path / "t"), later, mode="append", schema_mode="merge")

    assert check(tmp_path, "SELECT * FROM t WHERE m IS NULL") == 1
    assert check(tmp_path, "SELECT * FROM t WHERE m = 5") >= 1
    assert check(tmp_path, "SELECT * FROM t WHERE coalesce(m, 5) = 5") == 2


def test_a_path_that_its_writer_did_not_encode_is_read(tmp_path: Path) -> None:
    place = tmp_path / "t"
    rows = pa.table({"n": [1, 2]})
    write_foreign(place, rows, add={"path": "part 0#1?.parquet"})
    pq.write_table(rows, place / "part 0#1?.parquet")
    with reader_of(tmp_path) as reader:
        assert reader.rows("SELECT n FROM t").num_rows == 2


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    rows = pa.table({"k": ["a", "b", "c"] * 3, "n": range(9)})
    write_deltalake(str(tmp_path / "t"), rows, partition_by=["k"])
    with reader_of(tmp_path) as reader:
        yield reader


def test_a_scan_within_an_expression_is_given_all_files(reader: Reader) -> None:
    query = "SELECT n FROM t WHERE k = 'a' AND n > (SELECT max(n) - 4 FROM t)"
    assert reader.rows(query).to_pylist() == [{"n": 6}]


def test_sql_that_lost_something_on_the_way_is_not_run(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebinding, "unparsed", lambda _: "SELECT n FROM t WHERE n > 5")
    composed = reader.lease.table("t").filter("n > 6").select("n")
    reading = reading_module.bound(composed, reader.lease, reader.tables)

    assert reading.frame is composed
    assert reading.why_composed == "the engine's SQL for it has another plan"


def test_a_plan_that_names_files_too_late_is_split(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "dagster_dfsession.delta.native.cheapest",
        lambda work: "join" if work.named else "split",
    )
    query = (
        "SELECT n FROM t WHERE coalesce(n, 9) <> 4 AND (k IS DISTINCT FROM 'a') "
        "AND coalesce(n, 30) >= 3"
    )
    found = reader.rows(query).column("n").to_pylist()
    assert sorted(found, key=str) == [5, 7, 8]
