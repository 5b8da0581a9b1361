"""How a table is read is chosen for each query, and said."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from datafusion import SessionContext, col, lit
from deltalake import DeltaTable, write_deltalake

from dagster_dfsession.delta import native, scan_format
from dagster_dfsession.delta.scan_shapes import Shape, Work, cheapest
from dagster_dfsession.errors import DeltaError, EngineVersionError
from dagster_dfsession.pool.reading import (
    NATIVE,
    NO_FILE_NEEDED,
    PROVIDER,
    PROVIDER_IS_CHEAPER,
    bound,
)
from dagster_dfsession.query.stream import Execution
from tests.scans.reading import Reader, by_deltalake, reader_of, unordered

KEYS = 30


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A lake with a divided table `t` of 30 files, and `u`, which is not divided."""
    rows = pa.table(
        {
            "k": [f"k{number:02}" for number in range(KEYS) for _ in range(3)],
            "n": range(KEYS * 3),
        }
    )
    write_deltalake(str(tmp_path / "t"), rows, partition_by=["k"])
    for first in (0, 10, 20):
        part = pa.table({"n": range(first, first + 10), "word": ["a"] * 10})
        write_deltalake(str(tmp_path / "u"), part, mode="append")
    return tmp_path


@pytest.fixture
def reader(place: Path) -> Iterator[Reader]:
    with reader_of(place) as reader:
        yield reader


@pytest.mark.parametrize(
    ("query", "files"),
    [
        ("SELECT * FROM t WHERE k = 'k07'", 1),
        ("SELECT n FROM t WHERE k IN ('k01', 'k02', 'k29')", 3),
        ("SELECT n FROM t WHERE k > 'k27'", 2),
        ("SELECT n FROM t WHERE n = 40", 1),
        ("SELECT k FROM t WHERE n BETWEEN 40 AND 44 AND k <> 'k13'", 1),
        ("SELECT sum(n) FROM t", KEYS),
        ("SELECT a.n FROM t a JOIN t b ON a.n = b.n WHERE a.k = 'k01' AND b.n < 4", 2),
        ("SELECT n FROM t WHERE k = $wanted", 1),
    ],
)
def test_files_without_a_wanted_row_are_left_out(
    reader: Reader, place: Path, query: str, files: int
) -> None:
    params = {"wanted": "k07"} if "$" in query else {}
    frame = reader.lease.sql(query, params=params)
    reading = bound(frame, reader.lease, reader.tables)

    read = reading.tables["public", "t"]
    assert (read.how, read.files, read.total) == (NATIVE, files, KEYS)
    found = Execution(reading.frame, "reading").reader.read_all()
    plain = query.replace("$wanted", "'k07'")
    assert unordered(found) == unordered(by_deltalake(place / "t", plain))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT k, sum(n) AS n FROM t GROUP BY k",
        "SELECT n FROM t WHERE n > (SELECT max(n) - 2 FROM t)",
        "SELECT n FROM t WHERE n IN (SELECT n FROM u WHERE n > 12) AND k < 'k07'",
    ],
)
@pytest.mark.parametrize("shape", ["split", "join", "provider"])
def test_each_way_to_the_partitions_gives_the_same_rows(
    reader: Reader,
    query: str,
    shape: Shape,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(native, "cheapest", lambda _: shape)
    frame = reader.lease.sql(query)
    composed = frame.to_arrow_table()
    reading = bound(frame, reader.lease, reader.tables)

    read = reading.tables["public", "t"]
    cheaper = PROVIDER_IS_CHEAPER if shape == "provider" else None
    assert read.why == cheaper
    found = Execution(reading.frame, "reading").reader.read_all()
    assert unordered(found) == unordered(composed)


def test_explain_shows_the_scan_that_will_run(reader: Reader) -> None:
    query = "EXPLAIN SELECT n FROM u WHERE n = 13 AND word = 'a'"
    plan = str(reader.rows(query).column("plan").to_pylist()[-1])

    assert "DataSourceExec" in plan
    assert "pruning_predicate=" in plan
    assert plan.count(".parquet") == 1


def test_a_query_of_partition_columns_alone_opens_no_file_itself(
    reader: Reader,
) -> None:
    reading = reader.read("SELECT k, count(*) FROM t WHERE k < 'k10' GROUP BY k")
    assert reading.tables["public", "t"].why == NO_FILE_NEEDED


def test_a_frame_that_was_composed_is_bound_by_its_sql(reader: Reader) -> None:
    composed = (
        reader.lease.table("t")
        .filter(col("k") == lit("k07"))
        .select("n")
        .join(reader.lease.table("u"), on="n")
    )
    reading = bound(composed, reader.lease, reader.tables)

    assert reading.why_composed is None
    assert reading.tables["public", "t"].files == 1
    found = Execution(reading.frame, "reading").reader.read_all()
    assert unordered(found) == unordered(composed.to_arrow_table())


def test_a_frame_without_sql_of_its_own_runs_as_it_was_composed(
    reader: Reader,
) -> None:
    composed = reader.lease.table("u").cache().filter(col("n") > lit(3))
    reading = bound(composed, reader.lease, reader.tables)

    assert reading.frame is composed
    assert reading.why_composed == "no table of it has a native scan"


def test_names_over_a_registered_frame_are_bound_within_it(reader: Reader) -> None:
    reader.lease.register("few", reader.lease.sql("SELECT n FROM t WHERE k = 'k03'"))
    reading = reader.read("SELECT sum(n) AS n FROM few")

    assert reading.tables["public", "t"].files == 1
    assert Execution(reading.frame, "reading").reader.read_all().to_pylist() == [
        {"n": 9 + 10 + 11}
    ]


def test_a_file_that_is_gone_is_an_error_and_not_fewer_rows(
    reader: Reader, place: Path
) -> None:
    frame = reader.lease.sql("SELECT sum(n) FROM t WHERE k = 'k07'")
    (gone,) = (place / "t" / "k=k07").iterdir()
    gone.unlink()

    with pytest.raises(
        DeltaError, match=r"t: 1 of 1 data files .* gone, such as k=k07"
    ):
        bound(frame, reader.lease, reader.tables)


def test_a_plan_format_that_has_moved_falls_back_and_says_so(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_format, "PATHS", 3)
    reading = reader.read("SELECT sum(n) AS n FROM t WHERE k = 'k07'")

    read = reading.tables["public", "t"]
    assert read.how == PROVIDER
    assert read.why is not None
    assert "its list of paths is not where it was" in read.why
    assert reading.frame.to_pydict() == {"n": [21 + 22 + 23]}


def test_a_list_of_files_that_is_not_read_whole_is_refused() -> None:
    template = scan_format.ScanTemplate(
        SessionContext(), pa.schema([("n", pa.int64())])
    )
    assert template.scan([]).schema().names == ["n"]
    with pytest.raises(EngineVersionError, match="protobuf no longer writes"):
        list(scan_format._fields(b"\x0c"))


def test_no_file_is_read_of_a_table_without_rows(tmp_path: Path) -> None:
    DeltaTable.create(str(tmp_path / "t"), pa.schema([("k", pa.string())]))
    with reader_of(tmp_path) as reader:
        assert reader.rows("SELECT * FROM t WHERE k = 'a'").num_rows == 0
        assert reader.read("SELECT * FROM t").tables["public", "t"].total == 0


@pytest.mark.parametrize(
    ("work", "shape"),
    [
        (Work(1, 10, 1, 1000, 10_000, filtered=True, named=True), "one scan"),
        (Work(7, 6_000_000, 7, 14, 9_000_000, filtered=True, named=True), "split"),
        (Work(50, 5_000, 50, 200, 10_000, filtered=False, named=True), "join"),
        (Work(1000, 10**5, 1000, 1000, 10**5, filtered=False, named=True), "join"),
        (Work(1000, 10**7, 1000, 1000, 10**7, filtered=False, named=True), "provider"),
        (Work(900, 10**5, 900, 1000, 10**5, filtered=False, named=False), "provider"),
    ],
)
def test_the_cheapest_way_is_taken(work: Work, shape: str) -> None:
    assert cheapest(work) == shape


def test_what_statistics_answer_can_be_read_whole(tmp_path: Path) -> None:
    for word in ("a", "b"):
        part = pa.table({"word": [word, None]})
        write_deltalake(str(tmp_path / "t"), part, mode="append")
    with reader_of(tmp_path) as reader:
        found = reader.rows("SELECT min(word) AS first, max(word) AS last FROM t")
        assert found.to_pylist() == [{"first": "a", "last": "b"}]
