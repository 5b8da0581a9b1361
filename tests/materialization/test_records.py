"""The record of a session is what it says, or it is refused."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from inline_snapshot import snapshot

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import RecordError
from dagster_dfsession.materialization.records import (
    RECORDS,
    InputRecord,
    QueryRecord,
    RecordStore,
    SessionRecord,
)
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.codec import dump_profile, parse_profile
from dagster_dfsession.profile.presets import DEV
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.functions.snapshot import FunctionsSnapshot
from dagster_dfsession.session.runtime import SessionRuntime
from dagster_dfsession.session.runtime_env import RuntimeEnvSnapshot
from dagster_dfsession.session.versions import EngineVersions

GOLDEN_1 = Path(__file__).parents[1] / "goldens" / "record_v1.json"
BEFORE = SessionRuntime(
    settings={"datafusion.execution.batch_size": "8192", "my_extension.mode": "x"},
    functions=FunctionsSnapshot(entries=(), builtins_digest="0" * 64),
    runtime_env=RuntimeEnvSnapshot(
        memory_pool="unbounded", memory_bytes=None, disk_manager="none"
    ),
    versions=EngineVersions(
        datafusion="55.0.0", engine="55.2.0", deltalake="1.6.6", python="3.11.7"
    ),
    profile_hash="1" * 64,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def store(root: Path) -> RecordStore:
    return RecordStore(LakeFiles(Lake(str(root)).root))


@pytest.fixture(scope="module")
def live() -> Iterator[SessionRuntime]:
    with open_session(plan_session(DEV)) as session:
        yield session.snapshot()


def record_of(session: SessionRuntime) -> SessionRecord:
    return SessionRecord(
        session=session,
        profile=dump_profile(DEV),
        query=QueryRecord(
            plan_hash="2" * 64,
            plan="TableScan: flights",
            functions=("half",),
            variable=(),
            bound="as composed",
        ),
        inputs=(
            InputRecord(
                table="raw.flights",
                uri="s3://lake/raw/flights",
                version=3,
                partitions=("2013-01",),
                data_version="3" * 64,
                files=2,
            ),
        ),
    )


def test_a_record_is_read_as_it_was_written(
    store: RecordStore, live: SessionRuntime
) -> None:
    record = record_of(live)

    found = store.get(store.put(record))

    assert found == record
    assert found.session.session_hash == live.session_hash
    assert parse_profile(found.profile) == DEV


def test_a_record_of_no_query_is_read_as_it_was_written(store: RecordStore) -> None:
    record = SessionRecord(session=BEFORE, profile={}, query=None, inputs=())

    assert store.get(store.put(record)) == record


def test_a_record_is_named_by_its_content(store: RecordStore, root: Path) -> None:
    path = store.put(record_of(BEFORE))

    assert path.startswith(f"{RECORDS}/")
    plain = pa.CompressedInputStream(str(root / path), "zstd").read()
    assert path == f"{RECORDS}/{hashlib.sha256(plain).hexdigest()}.json.zst"


def test_equal_records_are_one_file_and_others_are_not(
    store: RecordStore, root: Path
) -> None:
    turned = dict(reversed(BEFORE.settings.items()))
    paths = {
        store.put(record_of(BEFORE)),
        store.put(record_of(msgspec.structs.replace(BEFORE, settings=turned))),
        store.put(record_of(msgspec.structs.replace(BEFORE, profile_hash="x"))),
    }

    assert len(paths) == 2
    assert len(list((root / RECORDS).iterdir())) == 2


def test_two_sessions_of_one_profile_have_one_record(store: RecordStore) -> None:
    paths = set()
    for _ in range(2):
        with open_session(plan_session(DEV)) as session:
            paths.add(store.put(record_of(session.snapshot())))

    assert len(paths) == 1


def refusal(store: RecordStore, path: str) -> str:
    with pytest.raises(RecordError) as refused:
        store.get(path)
    return str(refused.value)


def test_a_record_that_is_not_there_is_refused(store: RecordStore) -> None:
    path = f"{RECORDS}/{'0' * 64}.json.zst"

    assert refusal(store, path) == snapshot(
        "there is no record '_dfsession/records/0000000000000000000000000000000000000000000000000000000000000000.json.zst'; it may have been cleaned up"
    )
    store.put(record_of(BEFORE))
    assert refusal(store, path).startswith("there is no record")


def compressed(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


def test_a_record_that_was_changed_is_refused(store: RecordStore, root: Path) -> None:
    path = store.put(record_of(BEFORE))
    plain = pa.CompressedInputStream(str(root / path), "zstd").read()
    (root / path).write_bytes(compressed(plain.replace(b"8192", b"4096")))

    assert "has the content of " in refusal(store, path)
    assert refusal(store, path).endswith(": it was changed")


@pytest.mark.parametrize("keep", [0, 10, 100, -1])
def test_a_record_that_was_cut_off_is_refused(
    keep: int, store: RecordStore, root: Path
) -> None:
    path = store.put(record_of(BEFORE))
    (root / path).write_bytes((root / path).read_bytes()[:keep])

    assert path in refusal(store, path)


def test_a_record_that_is_no_archive_is_refused(store: RecordStore, root: Path) -> None:
    path = store.put(record_of(BEFORE))
    (root / path).write_text("not at all")

    assert "cannot be decompressed" in refusal(store, path)


@pytest.mark.demand("D40")
@pytest.mark.parametrize(
    "change",
    [{"version": 3}, {"more": 1}, {"session": None}, {"inputs": [{"table": "x"}]}],
    ids=["version", "field", "session", "input"],
)
def test_a_record_of_another_version_is_refused(
    change: dict[str, Any], store: RecordStore, root: Path
) -> None:
    plain = msgspec.json.encode(msgspec.to_builtins(record_of(BEFORE)) | change)
    path = written(root, plain)

    assert f"record {path!r} is of another version than 1 and 2: " in refusal(
        store, path
    )


def test_a_record_of_version_1_is_read_and_says_that_it_cannot_be_replayed(
    store: RecordStore, root: Path
) -> None:
    path = written(root, GOLDEN_1.read_bytes())

    found = store.get(path)

    assert found.version == 1
    assert found.session == BEFORE
    assert found.inputs[0].version == 3
    assert found.query is not None
    assert found.query.statement is None
    assert found.not_replayable == "its record is of a release that kept no statements"


def test_a_record_is_of_the_newest_version(store: RecordStore) -> None:
    assert store.get(store.put(record_of(BEFORE))).version == 2


def test_a_record_that_is_no_json_is_refused(store: RecordStore, root: Path) -> None:
    assert "is of another version than 1 and 2" in refusal(store, written(root, b"{"))


def written(root: Path, plain: bytes) -> str:
    path = f"{RECORDS}/{hashlib.sha256(plain).hexdigest()}.json.zst"
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(compressed(plain))
    return path
