from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import LocationError

RECORD = "_dfsession/records/ab.json.zst"


@pytest.fixture
def files(tmp_path: Path) -> LakeFiles:
    return LakeFiles(Lake(str(tmp_path / "lake ü")).root)


@pytest.mark.parametrize("data", [b"", b"plain", b"\x00\xff" * 500_000])
def test_a_file_is_read_back_as_written(files: LakeFiles, data: bytes) -> None:
    assert files.write_if_absent(RECORD, data)
    assert files.read(RECORD) == data


def test_a_file_is_stored_as_given_whatever_its_suffix(
    files: LakeFiles, tmp_path: Path
) -> None:
    files.write_if_absent(RECORD, b"not compressed by us")
    assert (tmp_path / "lake ü" / RECORD).read_bytes() == b"not compressed by us"


def test_an_existing_file_is_left_alone(files: LakeFiles) -> None:
    files.write_if_absent(RECORD, b"first")
    assert not files.write_if_absent(RECORD, b"second")
    assert files.read(RECORD) == b"first"


def test_where_there_is_no_lake_there_are_no_files(files: LakeFiles) -> None:
    assert files.read(RECORD) is None
    assert files.list("_dfsession") == ()


def test_files_are_listed_sorted_and_below_the_prefix_only(files: LakeFiles) -> None:
    for path in ("_dfsession/b", "_dfsession/records/a", "other/c"):
        files.write_if_absent(path, b"x")
    assert files.list("_dfsession") == ("_dfsession/b", "_dfsession/records/a")
    assert files.list("absent") == ()


def test_a_missing_file_beside_others_is_none(files: LakeFiles) -> None:
    files.write_if_absent(RECORD, b"x")
    assert files.read("_dfsession/records/other") is None


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a"]
)
def test_a_path_that_leaves_the_root_is_refused(files: LakeFiles, path: str) -> None:
    for use in (files.read, files.list, lambda p: files.write_if_absent(p, b"")):
        with pytest.raises(LocationError):
            use(path)


def test_writers_of_one_file_at_once_leave_one_whole_file(files: LakeFiles) -> None:
    data = b"x" * 1_000_000
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: files.write_if_absent(RECORD, data), range(8)))
    assert files.read(RECORD) == data
    assert files.list("_dfsession") == (RECORD,)
