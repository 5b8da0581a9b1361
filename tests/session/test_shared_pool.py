"""A memory pool that steps at once share."""

from collections.abc import Callable

import msgspec
import pytest

from dagster_dfsession.errors import InstallError
from dagster_dfsession.profile.runtime import RuntimeProfile, SharedPool, SpillToDisk
from dagster_dfsession.session.functions.snapshot import FunctionsSnapshot
from dagster_dfsession.session.runtime import SessionRuntime
from dagster_dfsession.session.runtime_env import (
    RuntimeEnvSnapshot,
    describe_runtime_env,
    share,
)
from dagster_dfsession.session.session import Session
from dagster_dfsession.session.versions import EngineVersions

Opened = Callable[..., Session]

GIB = 2**30
CAPTURED = SessionRuntime(
    settings={"datafusion.runtime.memory_limit": "1G"},
    functions=FunctionsSnapshot(entries=(), builtins_digest="0" * 64),
    runtime_env=RuntimeEnvSnapshot(
        memory_pool="fair", memory_bytes=GIB, disk_manager="disk"
    ),
    versions=EngineVersions(
        datafusion="55.0.0", engine="55.2.0", deltalake="1.6.6", python="3.11.7"
    ),
    profile_hash="1" * 64,
)


def hashes(runtime: SessionRuntime) -> tuple[str, str]:
    return runtime.settings_hash, runtime.session_hash


def test_how_many_share_a_pool_is_no_part_of_the_hashes() -> None:
    pool = SharedPool(size="1G")
    alone, fourth = (
        msgspec.structs.replace(
            CAPTURED,
            settings={**CAPTURED.settings, "datafusion.runtime.memory_limit": limit},
            runtime_env=describe_runtime_env(
                pool, SpillToDisk(), memory=GIB, steps=steps
            ),
        )
        for steps, limit in ((1, "1G"), (4, "256M"))
    )

    assert (alone.runtime_env.memory_bytes, fourth.runtime_env.memory_bytes) == (
        GIB,
        GIB // 4,
    )
    assert hashes(alone) == hashes(fourth)
    assert alone.settings_hash != CAPTURED.settings_hash


def test_a_pool_that_is_not_shared_hashes_as_it_did_before_there_were_others() -> None:
    assert msgspec.to_builtins(CAPTURED.runtime_env) == {
        "memory_pool": "fair",
        "memory_bytes": GIB,
        "disk_manager": "disk",
    }


def test_a_pool_that_says_how_many_share_it_asks_nobody(opened: Opened) -> None:
    session = opened(runtime=RuntimeProfile(memory_pool=SharedPool(size="1G", steps=8)))

    settings = session.snapshot().settings
    assert settings["datafusion.runtime.memory_limit"] == "128M"


@pytest.mark.parametrize("steps", [17, 10**9])
def test_a_share_that_no_query_can_work_with_is_refused(steps: int) -> None:
    with pytest.raises(InstallError, match=f"1024 MiB shared by {steps} steps"):
        share(GIB, steps)
    assert share(GIB, 16) == 64 * 2**20
