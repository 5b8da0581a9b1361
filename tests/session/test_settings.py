"""What a profile asks for is what the engine has."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from datafusion import DataFrame, SessionConfig, SessionContext
from inline_snapshot import snapshot

from dagster_dfsession.errors import InstallError, SettingError, SnapshotError
from dagster_dfsession.plan.settings import RUNTIME_PREFIX, plan_settings
from dagster_dfsession.profile.cache import CACHE_PRESETS
from dagster_dfsession.profile.execution import ExecutionProfile
from dagster_dfsession.profile.hardening import HARDENING_PRESETS
from dagster_dfsession.profile.joins import JoinsProfile
from dagster_dfsession.profile.presets import DEV, PRESETS
from dagster_dfsession.profile.runtime import GreedyPool, RuntimeProfile
from dagster_dfsession.session.engine_settings import default_settings, read_settings
from dagster_dfsession.session.functions.registry import new_session
from dagster_dfsession.session.machine import memory_limit, pool_bytes
from dagster_dfsession.session.session import Session

Opened = Callable[..., Session]

UNITS = {"B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
# Every preset there is, of whole profiles and of parts.
PROFILES = {
    **PRESETS,
    **{
        name: msgspec.structs.replace(DEV, cache=cache)
        for name, cache in CACHE_PRESETS.items()
    },
    **{
        name: msgspec.structs.replace(DEV, hardening=hardening)
        for name, hardening in HARDENING_PRESETS.items()
    },
}


def read_back(session: Session) -> dict[str, str]:
    rows = session.ctx.sql("SELECT name, value FROM information_schema.df_settings")
    return {row["name"]: row["value"] or "" for row in rows.to_pylist()}


def size(text: str) -> tuple[int, int]:
    """Return bytes, and how many of them the text may have swallowed."""
    unit = UNITS[text[-1]]
    return int(text[:-1]) * unit, unit


def seconds(text: str) -> int:
    parts = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", text)
    assert parts
    return int(parts[1] or 0) * 60 + int(parts[2] or 0)


@pytest.mark.demand("D1")
@pytest.mark.parametrize("name", PROFILES)
def test_every_setting_of_every_preset_is_in_effect(name: str, opened: Opened) -> None:
    effective = read_back(opened(PROFILES[name]))

    for setting in plan_settings(PROFILES[name]):
        found = effective[setting.key]
        if not setting.key.startswith(RUNTIME_PREFIX):
            assert found.lower() == setting.value.lower(), setting
        elif setting.key.endswith("_ttl"):
            assert seconds(found) == seconds(setting.value), setting
        elif setting.value == "0K":
            assert found in {"0", "0B", "0K"}, setting
        else:
            (asked, _), (got, unit) = size(setting.value), size(found)
            assert got <= asked < got + unit, setting


@pytest.mark.parametrize("name", PRESETS)
def test_names_and_memory_of_every_preset_are_in_effect(
    name: str, opened: Opened
) -> None:
    profile = PRESETS[name]
    effective = read_back(opened(profile))

    catalog = profile.catalog
    assert effective["datafusion.catalog.default_catalog"] == catalog.default_catalog
    assert effective["datafusion.catalog.default_schema"] == catalog.default_schema
    assert effective["datafusion.catalog.information_schema"] == "true"
    asked = pool_bytes(getattr(profile.runtime.memory_pool, "size"), memory_limit())  # noqa: B009  # a union
    got, unit = size(effective["datafusion.runtime.memory_limit"])
    assert got <= asked < got + unit


def test_settings_given_by_key_win_over_fields_in_the_engine(opened: Opened) -> None:
    session = opened(
        execution=ExecutionProfile(batch_size=7),
        settings={
            "datafusion.execution.batch_size": "9",
            "datafusion.runtime.metadata_cache_limit": "3M",
        },
    )

    effective = read_back(session)
    assert effective["datafusion.execution.batch_size"] == "9"
    assert effective["datafusion.runtime.metadata_cache_limit"] == "3M"


@pytest.mark.parametrize(
    ("limits", "mode"),
    [({}, "CollectLeft"), ({"collect_left_bytes": 1 << 20}, "Partitioned")],
)
def test_a_join_divides_its_sides_only_above_a_limit(
    limits: dict[str, int], mode: str, opened: Opened
) -> None:
    session = opened(
        execution=ExecutionProfile(target_partitions=2), joins=JoinsProfile(**limits)
    )
    for name in ("one", "other"):
        rows = pa.table({"k": range(500_000)})  # 4 MB
        session.ctx.register_record_batches(name, [rows.to_batches()])

    joined = session.ctx.sql("SELECT count(*) FROM one JOIN other USING (k)")

    plan = joined.execution_plan().display_indent()
    assert f"HashJoinExec: mode={mode}" in plan


def refusal(opened: Opened, spill_root: Path, settings: dict[str, str]) -> SettingError:
    with pytest.raises(SettingError) as refused:
        opened(settings=settings)
    assert list(spill_root.iterdir()) == []
    return refused.value


@pytest.mark.demand("D3")
def test_an_unknown_setting_is_refused_with_the_key_that_was_meant(
    opened: Opened, spill_root: Path
) -> None:
    error = refusal(opened, spill_root, {"datafusion.execution.batchsize": "4096"})

    assert str(error) == snapshot(
        "datafusion.execution.batchsize = '4096' was refused: Invalid or Unsupported Configuration: Config value \"batchsize\" not found on ExecutionOptions. Did you mean 'datafusion.execution.batch_size'?"
    )
    assert error.key == "datafusion.execution.batchsize"
    assert error.suggestion == "datafusion.execution.batch_size"


def test_an_unknown_runtime_setting_is_refused_with_the_key_that_was_meant(
    opened: Opened, spill_root: Path
) -> None:
    error = refusal(
        opened, spill_root, {"datafusion.runtime.metadata_cache_size": "1G"}
    )

    assert str(error) == snapshot(
        "datafusion.runtime.metadata_cache_size = '1G' was refused: this engine has no such setting. Did you mean 'datafusion.runtime.metadata_cache_limit'?"
    )


def test_a_value_that_the_engine_cannot_read_is_refused(
    opened: Opened, spill_root: Path
) -> None:
    error = refusal(opened, spill_root, {"datafusion.execution.batch_size": "many"})

    assert str(error) == snapshot(
        "datafusion.execution.batch_size = 'many' was refused: External error: invalid digit found in string."
    )
    assert error.suggestion is None


def test_a_runtime_value_that_the_engine_cannot_read_is_refused(
    opened: Opened, spill_root: Path
) -> None:
    error = refusal(
        opened, spill_root, {"datafusion.runtime.metadata_cache_limit": "1000"}
    )

    assert str(error) == snapshot(
        "datafusion.runtime.metadata_cache_limit = '1000' was refused: Error during planning: Unsupported unit '0' in 'datafusion.runtime.metadata_cache_limit', limit '1000'. Unit must be one of: 'K', 'M', 'G'."
    )


def test_a_runtime_value_cannot_break_out_of_its_statement(
    opened: Opened, spill_root: Path
) -> None:
    error = refusal(
        opened, spill_root, {"datafusion.runtime.metadata_cache_limit": "1G' --"}
    )

    assert "1G' --" in str(error)


@pytest.mark.demand("D3")
def test_a_setting_that_the_engine_makes_into_another_is_refused(
    opened: Opened, spill_root: Path
) -> None:
    with pytest.raises(InstallError) as refused:
        opened(settings={"datafusion.sql_parser.dialect": "postgres"})

    assert str(refused.value) == snapshot(
        "phase 'schema_guards' could not install 'datafusion.sql_parser.dialect': settings asks for 'postgres', the engine has 'postgresql'; write it as the engine does"
    )
    assert list(spill_root.iterdir()) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("datafusion.execution.parquet.bloom_filter_fpp", "0.10"),
        ("datafusion.execution.batch_size", "+010"),
        ("datafusion.execution.collect_statistics", "TRUE"),
        ("datafusion.execution.parquet.compression", "ZSTD(3)"),
    ],
)
def test_another_spelling_of_a_value_is_the_value(
    key: str, value: str, opened: Opened
) -> None:
    assert opened(settings={key: value}).closed is False


def test_a_pool_of_bytes_and_the_rest_of_the_runtime_do_not_disturb_each_other(
    opened: Opened,
) -> None:
    runtime = RuntimeProfile(memory_pool=GreedyPool(size=100_000_000))
    session = opened(runtime=runtime, cache="always_latest")

    effective = read_back(session)
    assert effective["datafusion.runtime.memory_limit"] == "95M"
    assert effective["datafusion.runtime.list_files_cache_ttl"] == "0m30s"
    assert session.spill_dir
    spilled = effective["datafusion.runtime.temp_directory"]
    assert spilled.startswith(session.spill_dir)


@pytest.mark.demand("D29")
@pytest.mark.demand("D31")
def test_settings_are_read_sorted_and_whole(opened: Opened) -> None:
    session = opened()

    settings = read_settings(session.ctx)
    assert settings == read_back(session)
    assert list(settings) == sorted(settings)
    assert set(settings) == set(default_settings())


@pytest.mark.demand("D31")
def test_a_session_that_cannot_be_read_back_is_an_error() -> None:
    ctx = new_session()
    ctx.sql("SET datafusion.catalog.information_schema = false")

    with pytest.raises(SnapshotError, match="settings could not be read"):
        read_settings(ctx)


class Silent(SessionContext):
    """An engine that answers, with nothing."""

    def sql(self, query: str, *args: Any, **kwargs: Any) -> DataFrame:
        return super().sql(f"{query} WHERE false", *args, **kwargs)


def test_no_settings_at_all_are_an_error() -> None:
    silent = Silent(SessionConfig().with_information_schema(enabled=True))

    with pytest.raises(SnapshotError, match="reports no settings at all"):
        read_settings(silent)
