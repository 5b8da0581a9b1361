"""The record of a session is what it says, or it is refused."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import RecordError
from dagster_dfsession.materialization.records import (
    RECORDS,
    Change,
    InputRecord,
    QueryRecord,
    RecordStore,
    SessionRecord,
    session_changes,
)
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.codec import dump_profile, parse_profile
from dagster_dfsession.profile.presets import DEV
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.functions.snapshot import (
    FunctionEntry,
    FunctionsSnapshot,
)
from dagster_dfsession.session.runtime import SessionRuntime
from dagster_dfsession.session.runtime_env import RuntimeEnvSnapshot
from dagster_dfsession.session.versions import EngineVersions

HALF = FunctionEntry(
    name="half",
    kind="scalar",
    signature=("Float64",),
    returns="Float64",
    volatility="immutable",
    digest="a" * 64,
    digest_note=None,
    origin="shop.udfs:half",
    version=None,
    aliases=("hlf",),
)
BEFORE = SessionRuntime(
    settings={
        "datafusion.execution.batch_size": "8192",
        "datafusion.execution.time_zone": "UTC",
    },
    functions=FunctionsSnapshot(entries=(HALF,), builtins_digest="0" * 64),
    runtime_env=RuntimeEnvSnapshot(
        memory_pool="fair", memory_bytes=2**30, disk_manager="disk"
    ),
    versions=EngineVersions(
        datafusion="55.0.0", engine="55.2.0", deltalake="1.6.6", python="3.11.7"
    ),
    profile_hash="1" * 64,
)


def replaced(part: Any, path: str, value: Any) -> Any:
    name, _, rest = path.partition(".")
    if rest:
        value = replaced(getattr(part, name), rest, value)
    return msgspec.structs.replace(part, **{name: value})


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
    plain = pa.CompressedInputStream(pa.OSFile(str(root / path)), "zstd").read()
    assert path == f"{RECORDS}/{hashlib.sha256(plain).hexdigest()}.json.zst"


def test_equal_records_are_one_file_and_others_are_not(
    store: RecordStore, root: Path
) -> None:
    turned = dict(reversed(BEFORE.settings.items()))
    paths = {
        store.put(record_of(BEFORE)),
        store.put(record_of(replaced(BEFORE, "settings", turned))),
        store.put(record_of(replaced(BEFORE, "profile_hash", "x"))),
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

    assert refusal(store, path) == snapshot("there is no record '_dfsession/records/0000000000000000000000000000000000000000000000000000000000000000.json.zst'; it may have been cleaned up")
    store.put(record_of(BEFORE))
    assert refusal(store, path).startswith("there is no record")


def compressed(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


def test_a_record_that_was_changed_is_refused(store: RecordStore, root: Path) -> None:
    path = store.put(record_of(BEFORE))
    plain = pa.CompressedInputStream(pa.OSFile(str(root / path)), "zstd").read()
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


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"more": 1}, {"session": None}, {"inputs": [{"table": "x"}]}],
    ids=["version", "field", "session", "input"],
)
def test_a_record_of_another_version_is_refused(
    change: dict[str, Any], store: RecordStore, root: Path
) -> None:
    plain = msgspec.json.encode(msgspec.to_builtins(record_of(BEFORE)) | change)
    path = written(root, plain)

    assert f"record {path!r} is of another version than 1: " in refusal(store, path)


def test_a_record_that_is_no_json_is_refused(store: RecordStore, root: Path) -> None:
    assert "is of another version than 1" in refusal(store, written(root, b"{"))


def written(root: Path, plain: bytes) -> str:
    path = f"{RECORDS}/{hashlib.sha256(plain).hexdigest()}.json.zst"
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(compressed(plain))
    return path


def test_equal_sessions_have_no_changes(live: SessionRuntime) -> None:
    assert session_changes(live, live) == ()
    turned = replaced(BEFORE, "settings", dict(reversed(BEFORE.settings.items())))
    assert session_changes(BEFORE, turned) == ()


def test_settings_that_differ_are_changes() -> None:
    settings = {"datafusion.execution.batch_size": "4096", "my_extension.mode": "x"}
    after = replaced(BEFORE, "settings", settings)

    assert session_changes(BEFORE, after) == (
        Change(what="datafusion.execution.batch_size", before="8192", after="4096"),
        Change(what="datafusion.execution.time_zone", before="UTC", after=None),
        Change(what="my_extension.mode", before=None, after="x"),
    )


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        ("runtime_env.memory_pool", "greedy", "runtime memory_pool"),
        ("runtime_env.memory_bytes", None, "runtime memory_bytes"),
        ("runtime_env.disk_manager", "none", "runtime disk_manager"),
        ("functions.builtins_digest", "9" * 64, "built-in functions"),
        ("versions.datafusion", "55.0.1", "version of datafusion"),
        ("versions.engine", "55.2.1", "version of engine"),
        ("versions.deltalake", "1.6.7", "version of deltalake"),
        ("versions.python", "3.12.1", "version of python"),
        ("profile_hash", "9" * 64, "profile"),
        ("functions.entries", (), "function half"),
    ],
)
def test_every_other_part_that_differs_is_a_change(
    path: str, value: Any, what: str
) -> None:
    (change,) = session_changes(BEFORE, replaced(BEFORE, path, value))

    assert change.what == what
    assert change.before != change.after


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "aggregate"),
        ("signature", ("Int64",)),
        ("returns", "Int64"),
        ("volatility", "volatile"),
        ("digest", "b" * 64),
        ("digest", None),
        ("origin", "shop.udfs:other"),
        ("aliases", ()),
    ],
    ids=range(8),
)
def test_whatever_differs_in_a_function_is_a_change(field: str, value: Any) -> None:
    entry = msgspec.structs.replace(HALF, **{field: value})
    after = replaced(BEFORE, "functions.entries", (entry,))

    (change,) = session_changes(BEFORE, after)

    assert change.what == "function half"
    assert change.before == snapshot('immutable scalar aaaaaaaaaaaaaaaa (Float64) -> Float64 of shop.udfs:half alias hlf')
    assert BEFORE.session_hash != after.session_hash


LEAVES = {
    "profile_hash": st.sampled_from(["1" * 64, "2" * 64]),
    "settings": st.dictionaries(
        st.sampled_from(["datafusion.execution.batch_size", "a.b"]),
        st.sampled_from(["1", "2"]),
    ),
    "runtime_env.memory_bytes": st.none() | st.integers(0, 2),
    "versions.python": st.sampled_from(["3.11.7", "3.12.1"]),
    "functions.builtins_digest": st.sampled_from(["0" * 64, "9" * 64]),
}


@given(st.fixed_dictionaries(LEAVES), st.fixed_dictionaries(LEAVES))
def test_sessions_of_two_hashes_always_differ_in_something_that_is_named(
    left: dict[str, Any], right: dict[str, Any]
) -> None:
    one, other = BEFORE, BEFORE
    for path in LEAVES:
        one, other = replaced(one, path, left[path]), replaced(other, path, right[path])

    same = one.session_hash == other.session_hash
    assert (session_changes(one, other) == ()) is same
