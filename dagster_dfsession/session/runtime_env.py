"""The session's `RuntimeEnv`, and a description of it taken before it is built."""

from datafusion import RuntimeEnvBuilder

from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.profile.runtime import (
    FairPool,
    GreedyPool,
    MemoryPool,
    NoSpill,
    Spill,
)
from dagster_dfsession.session.machine import pool_bytes


class RuntimeEnvSnapshot(Frozen, frozen=True):
    """What the engine does not tell of its runtime: it has setters only.

    Attributes:
        memory_pool: `fair`, `greedy` or `unbounded`.
        memory_bytes: Size of the pool; None: unbounded.
        disk_manager: `disk` or `none`.
    """

    memory_pool: str
    memory_bytes: int | None
    disk_manager: str


def describe_runtime_env(
    pool: MemoryPool, spill: Spill, *, memory: int
) -> RuntimeEnvSnapshot:
    """Return what will be built on a machine with `memory` bytes."""
    return RuntimeEnvSnapshot(
        memory_pool=str(pool.__struct_config__.tag),
        memory_bytes=(
            pool_bytes(pool.size, memory)
            if isinstance(pool, FairPool | GreedyPool)
            else None
        ),
        disk_manager=str(spill.__struct_config__.tag),
    )


def build_runtime_env(
    described: RuntimeEnvSnapshot, spill_dir: str | None
) -> RuntimeEnvBuilder:
    """Return the builder; spilled batches go below `spill_dir`."""
    builder = RuntimeEnvBuilder()
    if described.memory_bytes is None:
        builder = builder.with_unbounded_memory_pool()
    elif described.memory_pool == FairPool.__struct_config__.tag:
        builder = builder.with_fair_spill_pool(described.memory_bytes)
    else:
        builder = builder.with_greedy_memory_pool(described.memory_bytes)
    if described.disk_manager == NoSpill.__struct_config__.tag:
        return builder.with_disk_manager_disabled()
    if spill_dir is None:
        return builder.with_disk_manager_os()
    return builder.with_disk_manager_specified(spill_dir)
