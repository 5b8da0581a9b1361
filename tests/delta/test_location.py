import pickle
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from dagster_dfsession.delta.location import Lake, Location, open_table
from dagster_dfsession.errors import DeltaError, LocationError

SECRET = {"aws_secret_access_key": "hunter2", "aws_region": "eu"}


def test_no_text_of_a_location_shows_a_storage_option() -> None:
    lake = Lake("s3://bucket/lake", SECRET)
    table = lake.table(["a"])
    for text in (repr(table), str(table), repr(lake), str(table.__rich_repr__())):
        assert "hunter2" not in text
    assert "aws_secret_access_key" in repr(table)
    assert table.options.items() >= SECRET.items()


def test_locations_are_compared_by_content_and_survive_pickling() -> None:
    one = Lake("s3://b", {"x": "1", "a": "2"}).table(["t"])
    other = Lake("s3://b/", {"a": "2", "x": "1"}).table(["t"])
    assert one == other
    assert hash(one) == hash(other)
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    "root",
    ["s3://b/x", "gs://b/x", "abfss://c@acc.dfs.core.windows.net/x", "az://c/x"],
)
def test_cloud_roots_are_kept(root: str) -> None:
    assert Lake(root + "/").table(["raw", "t"]).uri == f"{root}/raw/t"


def test_relative_roots_are_made_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Lake("data/lake").table(["t"]).uri == str(Path.cwd() / "data/lake/t")
    monkeypatch.setenv("HOME", "/me")
    assert Lake("~/lake").table(["t"]).uri == "/me/lake/t"


def test_a_file_address_is_a_local_path(tmp_path: Path) -> None:
    spaced = tmp_path / "mein See ü"
    assert Lake(spaced.as_uri()).table(["t"]).uri == str(spaced / "t")


@pytest.mark.parametrize(
    "root",
    [
        *("", "a\0b", "/a%20b", "s3://", "s3://b/x?y", "file://host/x", "s3://b/a%20b"),
        *("s3://b//x", "s3://b/../x", "s3://b/x /", "s3://b/a[1]", "s3://b/a^b"),
    ],
)
def test_a_root_that_names_no_place_is_refused(root: str) -> None:
    with pytest.raises(LocationError):
        Lake(root)


@pytest.mark.parametrize(
    "part",
    [
        *("", ".", "..", "a/b", "a\\b", "a\0b", "_dfsession", "_dfsession_x"),
        *("a[1]", "%2", " a", "a "),
    ],
)
def test_a_key_part_that_could_leave_its_place_is_refused(part: str) -> None:
    with pytest.raises(LocationError, match="Any text is allowed except") as refused:
        Lake("/lake").table(["raw", part])
    assert repr(part) in str(refused.value)


def test_a_key_without_parts_is_refused() -> None:
    with pytest.raises(LocationError, match="without parts"):
        Lake("/lake").table([])


part = st.text(
    st.characters(blacklist_categories=("Cc", "Cs"), blacklist_characters="/\\[]^|%?#"),
    min_size=1,
    max_size=8,
).filter(
    lambda text: (
        text not in (".", "..")
        and text == text.strip(" ")
        and not text.startswith("_dfsession")
    )
)
key = st.lists(part, min_size=1, max_size=3)


@given(key, key)
def test_different_keys_have_different_places(one: list[str], other: list[str]) -> None:
    for root in ("/lake", "s3://bucket"):
        lake = Lake(root)
        assert (lake.table(one).uri == lake.table(other).uri) == (one == other)


@pytest.mark.parametrize("name", ["a b", "ü;=", "k'1", "a+b", "a:b", "~", "*"])
def test_a_table_of_any_allowed_name_can_be_opened(name: str, tmp_path: Path) -> None:
    place = Lake(str(tmp_path)).table([name])
    write_deltalake(place.uri, pa.table({"x": [1]}))
    table = open_table(place)
    assert table is not None
    assert table.count() == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_where_there_is_no_table_none_is_opened(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert open_table(Location(str(tmp_path / "missing"))) is None
    assert open_table(Location(str(tmp_path / "missing")), version=3) is None
    assert open_table(Location(str(tmp_path / "empty"))) is None


def test_a_version_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", pa.table({"x": [1]}))
    with pytest.raises(DeltaError, match="no such version"):
        open_table(Location(str(tmp_path / "t")), version=9)


def test_a_broken_log_is_an_error_without_a_backtrace(tmp_path: Path) -> None:
    log = tmp_path / "t" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020}.json").write_text("garbage")
    with pytest.raises(DeltaError) as failed:
        open_table(Location(str(tmp_path / "t")))
    assert "unknown>" not in str(failed.value)
    assert str(tmp_path / "t") in str(failed.value)


def test_a_scheme_nobody_knows_is_an_error_not_an_absent_table() -> None:
    with pytest.raises(DeltaError, match="Use a local path"):
        open_table(Location("nowhere://bucket/t"))


def test_an_unreachable_store_is_an_error_without_secrets() -> None:
    options = {
        "aws_access_key_id": "AKIASECRET",
        "aws_secret_access_key": "hunter2hunter2",
        "endpoint": "http://127.0.0.1:1",
        "allow_http": "true",
        "max_retries": "0",
        "retry_timeout": "1s",
    }
    with pytest.raises(DeltaError) as failed:
        open_table(Lake("s3://bucket", options).table(["t"]))
    assert str(failed.value).startswith("s3://bucket/t: ")
    assert "http://127.0.0.1:1/bucket/t" in str(failed.value)
    assert "AKIASECRET" not in str(failed.value)
    assert "hunter2" not in str(failed.value)
    assert failed.value.__cause__ is None
