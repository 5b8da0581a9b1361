"""Tables on an object store, read by the engine's own scans."""

import contextlib
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from dagster_dfsession.delta.location import Lake, Location
from dagster_dfsession.errors import DeltaError, DfSessionError
from dagster_dfsession.pool.reading import NATIVE, PROVIDER, bound
from dagster_dfsession.query.stream import Execution
from tests.delta.writing import owning, write
from tests.s3.seaweed import (
    ACCESS_KEY,
    BUCKET,
    LIMITED,
    SECRET_KEY,
    S3Server,
    running_server,
    weed_binary,
)
from tests.scans.reading import Reader, reader_of

SOON_S = 20
VALUES = ["a b", "100%", "a/b", "a%20b", "ü", "x?y#z", "k'1", 'q"', "..", "[1]", "日本"]


@pytest.fixture
def place(s3_lake: Lake) -> Location:
    """A table of one file for each of the values."""
    place = s3_lake.table(["t"])
    rows = {"k": VALUES, "n": list(range(len(VALUES)))}
    write(place, rows, mode="append", partition_by=("k",))
    return place


@pytest.fixture
def reader(place: Location) -> Iterator[Reader]:
    with reader_of(root_of(place), **place.options) as reader:
        yield reader


def root_of(place: Location) -> str:
    """Return the root of the lake that the table is in."""
    return place.uri.rpartition("/")[0]


def opened_files(reader: Reader, query: str) -> tuple[list[dict[str, Any]], int | None]:
    """Return the rows of a query, and how many files the engine opened for them."""
    reading = reader.read(query)
    assert [str(read) for read in reading.tables.values()] == [NATIVE]
    assert "DataSourceExec" in reading.frame.execution_plan().display_indent()
    execution = Execution(reading.frame, query)
    rows = execution.reader.read_all().to_pylist()
    return sorted(rows, key=str), execution.metrics.files_read


def test_only_the_files_of_a_partition_are_read(reader: Reader) -> None:
    for number, value in enumerate(VALUES):
        literal = value.replace("'", "''")
        found = opened_files(reader, f"SELECT * FROM t WHERE k = '{literal}'")
        assert found == ([{"k": value, "n": number}], 1)


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("k IN ('100%', 'ü')", {"100%", "ü"}),
        ("k > 'x'", {"x?y#z", "ü", "日本"}),
        ("k LIKE 'a%' AND n > 2", {"a%20b"}),
        ("k = 'ü' OR n = 0", {"ü", "a b"}),
        ("n < 2", {"a b", "100%"}),
    ],
)
def test_a_filter_by_a_column_that_is_not_selected_is_kept(
    reader: Reader, where: str, wanted: set[str]
) -> None:
    for columns in ("n", "k, n", "n, count(*) OVER () AS c"):
        rows = reader.rows(f"SELECT {columns} FROM t WHERE {where}").to_pylist()
        assert sorted(row["n"] for row in rows) == sorted(map(VALUES.index, wanted))


def test_buckets_are_opened_each_with_its_own_key(s3: S3Server, root: str) -> None:
    path = root.removeprefix("s3://").partition("/")[2]
    lakes = [Lake(f"s3://{name}/{path}", s3.limited(name)) for name in LIMITED]
    for name, lake in zip(LIMITED, lakes, strict=True):
        s3.files.create_dir(name)
        write(lake.table([name]), {"k": ["a", "b"], "n": [1, 2]}, **owning("a", "b"))
    with pytest.raises(DeltaError, match="Check the storage options"):
        write(Lake(lakes[0].root.uri, s3.limited("south")).table(["x"]), {"n": [1]})

    with reader_of(lakes[0].root.uri, **lakes[0].root.options) as reader:
        reader.tables.add_lake(lakes[1])
        query = "SELECT n.n, s.k FROM north n JOIN south s ON n.k = s.k WHERE n.k = 'b'"
        reading = reader.read(query)
        assert {read.how for read in reading.tables.values()} == {NATIVE}
        assert reader.rows(query).to_pylist() == [{"n": 2, "k": "b"}]


@pytest.mark.parametrize("wanted", ["k = 'ü'", "k IN ('ü', '100%')"])
def test_a_version_that_was_vacuumed_is_an_error(
    reader: Reader, place: Location, wanted: str
) -> None:
    query = f"SELECT * FROM t WHERE {wanted}"
    before = reader.rows(query)
    write(place, {"k": ["ü"], "n": [7]}, **owning("ü"))
    assert reader.rows(query).sort_by("n") == before.sort_by("n")

    DeltaTable(place.uri, storage_options=place.options).vacuum(
        retention_hours=0, enforce_retention_duration=False, dry_run=False
    )
    with pytest.raises(DeltaError) as failed:
        reader.read(query)
    said = str(failed.value)
    assert said.startswith(f"{place.uri}: 1 of ")
    assert "data files of this version are gone" in said
    assert "the table was vacuumed since. Read a newer version" in said
    # What is not gone is read as before.
    assert reader.rows("SELECT n FROM t WHERE k = '..'").num_rows == 1


def test_with_an_option_that_the_engine_lacks_the_provider_reads(
    place: Location,
) -> None:
    options = place.options | {"aws_virtual_hosted_style_request": "false"}
    with reader_of(root_of(place), **options) as reader:
        reading = reader.read("SELECT n FROM t WHERE k IN ('ü', '..')")
        [read] = reading.tables.values()
        assert (read.how, read.files) == (PROVIDER, len(VALUES))
        assert "no store of its own for this address" in str(read)
        found = Execution(reading.frame, "provider").reader.read_all()
    assert set(found["n"].to_pylist()) == {VALUES.index("ü"), VALUES.index("..")}


def test_sql_of_a_frame_is_bound_too(reader: Reader) -> None:
    frame = reader.lease.sql("SELECT n FROM t WHERE k = 'ü'").limit(1)
    reading = bound(frame, reader.lease, reader.tables)

    assert "DataSourceExec" in reading.frame.execution_plan().display_indent()
    assert Execution(reading.frame, "f").reader.read_all().to_pylist() == [{"n": 4}]


@pytest.mark.slow
def test_a_server_that_goes_away_is_told_soon_and_without_secrets(
    tmp_path: Path,
) -> None:
    weed = weed_binary()
    if weed is None:
        pytest.skip("there is no `weed` binary")
    query = "SELECT n FROM t WHERE k = 'a'"
    with contextlib.ExitStack() as readers:
        with running_server(weed, tmp_path) as server:
            lake = Lake(f"s3://{BUCKET}/lake", server.options)
            write(lake.table(["t"]), {"k": ["a", "b"], "n": [1, 2]}, **owning("a", "b"))
            lacking = server.options | {"aws_virtual_hosted_style_request": "false"}
            native, provider, unbound = [
                readers.enter_context(
                    reader_of(lake.root.uri, max_retries="1", **options)
                )
                for options in (server.options, lacking, server.options)
            ]
            frames = [each.read(query).frame for each in (native, provider)]
            unbound.lease.sql(query)
        uses: list[Callable[[], object]] = [
            *(Execution(frame, "reading t").reader.read_all for frame in frames),
            lambda: unbound.read(query),
        ]
        for use in uses:
            started = time.monotonic()
            with pytest.raises(DfSessionError) as failed:
                use()
            assert time.monotonic() - started < SOON_S
            said = "".join(traceback.format_exception(failed.value))
            assert server.endpoint in str(failed.value)
            assert "check the endpoint and the network" in str(failed.value)
            assert SECRET_KEY not in said
            assert ACCESS_KEY not in said
