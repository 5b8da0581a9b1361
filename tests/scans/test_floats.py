"""NaN, which the statistics of a Parquet file leave out, is read as what it is."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from dagster_dfsession.pool.reading import NATIVE
from tests.scans.reading import Reader, by_deltalake, reader_of, unordered

NAN = "CAST('nan' AS DOUBLE)"
QUERIES = (
    "SELECT * FROM t",
    "SELECT k FROM t WHERE f > 5",
    "SELECT k FROM t WHERE f <> 1.0",
    "SELECT k FROM t WHERE NOT (f <= 5)",
    "SELECT k FROM t WHERE f NOT IN (1.0, 7.0)",
    "SELECT k FROM t WHERE f IS DISTINCT FROM 1.0",
    f"SELECT k FROM t WHERE f = {NAN}",
    "SELECT k FROM t WHERE isnan(f)",
    "SELECT max(f), min(f), count(f) FROM t",
    "SELECT max(f) AS high FROM t",
    "SELECT max(f) AS high, min(k) AS low FROM t WHERE k > 0",
    "SELECT k FROM t ORDER BY f DESC LIMIT 1",
    f"SELECT k FROM t JOIN (VALUES ({NAN})) v(x) ON f = x",
    "SELECT f, count(*) FROM t GROUP BY f",
    "SELECT a.k FROM t a JOIN t b ON a.f = b.f WHERE b.k = 2",
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A table whose first file is constant, as far as its statistics tell."""
    for values, keys in (([1.0, float("nan")], [1, 2]), ([7.0, 2.0], [3, 4])):
        rows = pa.table({"f": values, "k": keys})
        write_deltalake(str(tmp_path / "t"), rows, mode="append")
    return tmp_path


@pytest.fixture
def reader(place: Path) -> Iterator[Reader]:
    with reader_of(place) as reader:
        yield reader


@pytest.mark.parametrize("query", QUERIES)
def test_a_nan_is_no_other_number(reader: Reader, place: Path, query: str) -> None:
    reading = reader.read(query)
    assert {read.how for read in reading.tables.values()} == {NATIVE}
    wanted = by_deltalake(place / "t", query)
    assert unordered(reader.rows(query)) == unordered(wanted)


def test_reading_without_statistics_leaves_the_session_as_it_was(
    reader: Reader,
) -> None:
    session = reader.lease.session
    before = session.snapshot()
    reader.rows("SELECT k FROM t WHERE f > 5")

    assert session.snapshot() == before
