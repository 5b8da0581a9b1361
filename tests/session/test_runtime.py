"""What a session says of itself, and what it hashes to."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from datafusion import SessionConfig, SessionContext, udf
from hypothesis import given
from hypothesis import strategies as st

from dagster_dfsession.plan.classification import SETTINGS
from dagster_dfsession.profile.execution import ExecutionProfile
from dagster_dfsession.profile.hardening import HardeningProfile
from dagster_dfsession.profile.hooks import HooksProfile
from dagster_dfsession.profile.presets import PRESETS
from dagster_dfsession.profile.runtime import (
    FairPool,
    GreedyPool,
    MemoryPool,
    NoSpill,
    RuntimeProfile,
    Spill,
    SpillToDisk,
    UnboundedPool,
)
from dagster_dfsession.profile.sql import SqlProfile
from dagster_dfsession.session.engine_settings import read_settings
from dagster_dfsession.session.functions.snapshot import FunctionsSnapshot
from dagster_dfsession.session.machine import memory_limit, pool_bytes
from dagster_dfsession.session.runtime import SessionRuntime
from dagster_dfsession.session.runtime_env import (
    RuntimeEnvSnapshot,
    build_runtime_env,
    describe_runtime_env,
)
from dagster_dfsession.session.session import Session
from dagster_dfsession.session.versions import EngineVersions

Opened = Callable[..., Session]

GIB = 2**30
HASHES = ("settings_hash", "result_settings_hash", "udf_snapshot_hash", "session_hash")
VERSIONS = EngineVersions(
    datafusion="55.0.0", engine="55.2.0", deltalake="1.6.6", python="3.11.7"
)
CAPTURED = SessionRuntime(
    settings={
        "datafusion.execution.batch_size": "8192",
        "datafusion.execution.time_zone": "UTC",
    },
    functions=FunctionsSnapshot(entries=(), builtins_digest="0" * 64),
    runtime_env=RuntimeEnvSnapshot(
        memory_pool="fair", memory_bytes=GIB, disk_manager="disk"
    ),
    versions=VERSIONS,
    profile_hash="1" * 64,
)


def hashes(runtime: SessionRuntime) -> dict[str, str]:
    return {name: getattr(runtime, name) for name in HASHES}


def changed(before: SessionRuntime, after: SessionRuntime) -> set[str]:
    return {name for name in HASHES if hashes(before)[name] != hashes(after)[name]}


@pytest.mark.demand("D22")
@pytest.mark.parametrize("name", PRESETS)
def test_what_was_captured_hashes_as_the_session_does(
    name: str, opened: Opened
) -> None:
    live = opened(PRESETS[name]).snapshot()

    captured = msgspec.json.decode(msgspec.json.encode(live), type=SessionRuntime)
    assert captured == live
    assert hashes(captured) == hashes(live)
    assert len({*hashes(live).values(), live.profile_hash}) == 5


@pytest.mark.parametrize("name", PRESETS)
def test_two_sessions_of_one_profile_are_equal(name: str, opened: Opened) -> None:
    one, other = opened(PRESETS[name]), opened(PRESETS[name])

    assert one.spill_dir != other.spill_dir
    assert one.snapshot() == other.snapshot()
    assert hashes(one.snapshot()) == hashes(other.snapshot())


def test_the_presets_are_five_different_sessions(opened: Opened) -> None:
    runtimes = [opened(profile).snapshot() for profile in PRESETS.values()]

    assert len({each.session_hash for each in runtimes}) == 5
    assert len({each.udf_snapshot_hash for each in runtimes}) == 1


def test_where_a_session_spills_is_no_part_of_its_hashes(
    opened: Opened, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    there = RuntimeProfile(spill=SpillToDisk(directory=str(tmp_path / "there")))

    assert hashes(opened(runtime=there).snapshot()) == hashes(opened().snapshot())


def test_a_time_zone_changes_results_and_a_batch_size_does_not(opened: Opened) -> None:
    plain = opened().snapshot()
    zone = opened(hardening=HardeningProfile(time_zone="Europe/Vienna")).snapshot()
    batch = opened(execution=ExecutionProfile(batch_size=7)).snapshot()

    assert changed(plain, zone) == {
        "settings_hash",
        "result_settings_hash",
        "session_hash",
    }
    assert changed(plain, batch) == {"settings_hash", "session_hash"}


def test_a_wish_that_changes_no_setting_changes_the_session_hash(
    opened: Opened,
) -> None:
    hooked = HooksProfile(after_session=("builtins:repr",))

    assert changed(opened().snapshot(), opened(hooks=hooked).snapshot()) == {
        "session_hash"
    }


@pytest.mark.demand("D27")
def test_a_setting_changed_in_sql_is_seen(opened: Opened) -> None:
    session = opened(sql=SqlProfile(policy="service"))
    before = session.snapshot()

    session.sql("SET datafusion.execution.batch_size = 10")

    assert changed(before, session.snapshot()) == {"settings_hash", "session_hash"}
    session.sql("SET datafusion.execution.batch_size = 8192")
    assert session.snapshot() == before


def test_what_is_changed_through_the_context_is_seen(opened: Opened) -> None:
    session = opened()
    before = session.snapshot()
    session.ctx.sql("SET datafusion.execution.time_zone = 'Europe/Vienna'")
    session.ctx.register_udf(
        udf(lambda a: a, [pa.int64()], pa.int64(), "immutable", name="same")
    )
    after = session.snapshot()

    assert changed(before, after) == set(HASHES)
    (entry,) = after.functions.entries
    assert (entry.name, entry.origin, entry.digest) == ("same", "unknown", None)


def test_the_engine_is_named_by_the_engine_and_not_by_a_setting(
    opened: Opened,
) -> None:
    own = {"datafusion.execution.parquet.created_by": "our tool 1"}

    assert opened(settings=own).snapshot().versions == opened().snapshot().versions


@given(st.sampled_from(sorted(SETTINGS)), st.text())
def test_a_changed_setting_changes_the_hashes_that_its_class_says(
    key: str, value: str
) -> None:
    settings = CAPTURED.settings | {key: value}
    after = msgspec.structs.replace(CAPTURED, settings=settings)
    before = CAPTURED.settings

    expected: set[str] = set()
    if before.get(key) != value and not SETTINGS[key].volatile:
        expected = {"settings_hash", "session_hash"}
        if SETTINGS[key].changes_results:
            expected.add("result_settings_hash")
    assert changed(CAPTURED, after) == expected


@pytest.mark.demand("D26")
@pytest.mark.demand("D67")
@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"profile_hash": "2" * 64}, {"session_hash"}),
        (
            {"versions": msgspec.structs.replace(VERSIONS, python="3.12.1")},
            {"session_hash"},
        ),
        (
            {"functions": FunctionsSnapshot(entries=(), builtins_digest="1" * 64)},
            {"udf_snapshot_hash", "session_hash"},
        ),
        (
            {"runtime_env": msgspec.structs.replace(CAPTURED.runtime_env, memory_bytes=1)},
            {"settings_hash", "session_hash"},
        ),
        ({"settings": dict(reversed(CAPTURED.settings.items()))}, set()),
    ],
    ids=["profile", "versions", "functions", "runtime", "order"],
)  # fmt: skip
def test_every_part_of_a_session_counts_in_its_hash(
    part: dict[str, object], expected: set[str]
) -> None:
    assert changed(CAPTURED, msgspec.structs.replace(CAPTURED, **part)) == expected


@pytest.mark.demand("D26")
@pytest.mark.parametrize(
    ("pool", "spill", "described"),
    [
        (FairPool(size="50%"), SpillToDisk(), ("fair", 4 * GIB, "disk")),
        (GreedyPool(size="2G"), NoSpill(), ("greedy", 2 * GIB, "none")),
        (GreedyPool(size=7), SpillToDisk(), ("greedy", 7, "disk")),
        (UnboundedPool(), NoSpill(), ("unbounded", None, "none")),
    ],
)
def test_a_runtime_is_described_before_it_is_built(
    pool: MemoryPool, spill: Spill, described: tuple[str, int | None, str]
) -> None:
    found = describe_runtime_env(pool, spill, memory=8 * GIB)

    assert msgspec.structs.astuple(found) == (*described, None)


@pytest.mark.parametrize(
    ("pool", "limit"),
    [
        (FairPool(size="64M"), "64M"),
        (GreedyPool(size="65M"), "65M"),
        (UnboundedPool(), "unlimited"),
    ],
)
def test_a_runtime_is_built_as_described(
    pool: MemoryPool, limit: str, opened: Opened
) -> None:
    session = opened(runtime=RuntimeProfile(memory_pool=pool))

    settings = session.snapshot().settings
    assert settings["datafusion.runtime.memory_limit"] == limit


def test_a_runtime_without_a_directory_of_its_own_spills_to_the_systems(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    described = describe_runtime_env(UnboundedPool(), SpillToDisk(), memory=GIB)
    config = SessionConfig().with_information_schema(enabled=True)

    ctx = SessionContext(config, build_runtime_env(described, None))

    spills_to = read_settings(ctx)["datafusion.runtime.temp_directory"]
    assert spills_to == "" or Path(spills_to).is_relative_to(tmp_path)


@given(st.integers(1, 100), st.integers(2**21, 2**45))
def test_a_share_is_whole_mebibytes_and_at_least_one(share: int, memory: int) -> None:
    size = pool_bytes(f"{share}%", memory)

    assert size % 2**20 == 0
    assert size == max(memory * share // 100 // 2**20, 1) * 2**20


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (("1073741824\n",), GIB),
        (("max\n",), None),
        (("max\n", "2147483648\n"), 2 * GIB),
        (("3221225472", "2147483648"), 2 * GIB),
        (("9223372036854771712",), None),
        ((), None),
    ],
    ids=["v2", "v2 open", "v1", "both", "v1 open", "none"],
)
def test_a_container_has_the_memory_that_its_group_allows(
    contents: tuple[str, ...], expected: int | None, tmp_path: Path
) -> None:
    files = tuple(tmp_path / str(number) for number in range(3))
    for file, text in zip(files, contents, strict=False):
        file.write_text(text)

    machine = memory_limit(())
    assert memory_limit(files) == min(machine, expected or machine)
