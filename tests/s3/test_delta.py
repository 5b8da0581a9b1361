"""Tables and files on an object store, without Dagster."""

import pyarrow as pa
import pytest

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.history import data_version
from dagster_dfsession.delta.location import Lake, open_table
from dagster_dfsession.delta.log import DATA_VERSION, PARTITIONS
from dagster_dfsession.delta.predicate import In
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.delta.written import WriteResult
from tests.s3.seaweed import BUCKET, S3Server

RECORD = "_dfsession/records/ab.json.zst"
VALUES = ["a b", "100%", "a/b", "a%20b", "ü", "x?y#z", "k'1", "..", "[1]"]


def write(lake: Lake, *key: str, **request: object) -> WriteResult:
    rows = pa.table({"x": [1, 2]}).to_reader()
    return write_table(WriteRequest(location=lake.table(key), **request), rows)  # type: ignore[arg-type]  # a test says which


def count(lake: Lake, *key: str) -> int:
    table = open_table(lake.table(key))
    assert table is not None
    return table.count()


def test_where_nobody_has_written_there_is_no_table(s3_lake: Lake) -> None:
    assert open_table(s3_lake.table(["absent"])) is None
    assert open_table(s3_lake.table(["absent"]), version=3) is None


def test_what_is_written_is_read_at_its_version(s3_lake: Lake) -> None:
    assert write(s3_lake, "raw", "t").version == 0
    written = write(s3_lake, "raw", "t", mode="append")
    assert (written.version, written.rows, written.table_rows) == (1, 2, 4)
    assert written.bytes > 0
    assert count(s3_lake, "raw", "t") == 4
    first = open_table(s3_lake.table(["raw", "t"]), version=0)
    assert first is not None
    assert first.count() == 2


@pytest.mark.parametrize(
    "name", ["a b", "ü;=", "k'1", "a+b", "a:b", "~", "*", "a&b", '"', "...", "日本"]
)
def test_a_table_of_any_allowed_name_is_at_its_own_place(
    s3_lake: Lake, s3: S3Server, root: str, name: str
) -> None:
    write(s3_lake, "names", name)
    assert count(s3_lake, "names", name) == 2
    log = f"{root.removeprefix('s3://')}/names/{name}/_delta_log/{0:020}.json"
    assert s3.files.get_file_info(log).is_file


def test_any_text_can_be_a_partition_key(s3_lake: Lake) -> None:
    for value in VALUES:
        write_table(
            WriteRequest(
                location=s3_lake.table(["t"]),
                partitioned=True,
                predicate=In("k", (value,)),
                partition_by=("k",),
            ),
            pa.table({"k": [value, value], "x": [1, 2]}).to_reader(),
        )
    table = open_table(s3_lake.table(["t"]))
    assert table is not None
    rows = pa.RecordBatchReader.from_stream(table.scan()).read_all()
    assert sorted(map(str, rows["k"].to_pylist())) == sorted(VALUES * 2)


def test_a_second_attempt_of_one_write_writes_nothing(s3_lake: Lake) -> None:
    for repeated in (False, True):
        written = write(s3_lake, "t", mode="append", app_id="run/step", app_version=1)
        assert written.already_committed is repeated
        assert (written.version, written.rows) == (1, 2)
    assert count(s3_lake, "t") == 2


def test_data_versions_are_read_off_the_log(s3_lake: Lake) -> None:
    location = s3_lake.table(["t"])
    for key, stated in [("a", "one"), ("b", "two"), ("a", "three"), ("a", "one")]:
        write_table(
            WriteRequest(
                location=location,
                partitioned=True,
                predicate=In("k", (key,)),
                partition_by=("k",),
                commit_metadata={DATA_VERSION: stated, PARTITIONS: f'["{key}"]'},
            ),
            pa.table({"k": [key], "x": [1]}).to_reader(),
        )

    def version(at: int, *keys: str) -> str:
        table = open_table(location, at)
        assert table is not None
        return data_version(table, location, frozenset(keys) or None)

    # Version 0 is the empty table.
    assert version(2) == version(4) != version(3)
    assert version(2, "b") == version(3, "b")
    assert version(2, "a") != version(3, "a")
    assert not version(4).startswith("delta:")


@pytest.mark.parametrize("data", [b"", b"plain", b"\x00\xff" * 3_000_000])
def test_a_file_is_read_back_as_written(s3_lake: Lake, data: bytes) -> None:
    files = LakeFiles(s3_lake.root)
    assert files.read(RECORD) is None
    assert files.write_if_absent(RECORD, data)
    assert not files.write_if_absent(RECORD, b"second")
    assert files.read(RECORD) == data
    assert files.read("_dfsession/records/other") is None
    assert files.list("_dfsession") == (RECORD,)
    assert files.list("absent") == ()


def test_a_lake_may_be_a_whole_bucket(s3: S3Server) -> None:
    assert not write(Lake(f"s3://{BUCKET}", s3.options), "bucket", "t").version
    assert count(Lake(f"s3://{BUCKET}/bucket/", s3.options), "t") == 2
