"""The session's `RuntimeEnv`, and a description of it taken before it is built."""

from datafusion import RuntimeEnvBuilder

from dagster_dfsession.errors import InstallError
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.profile.base import MIB, Frozen
from dagster_dfsession.profile.runtime import (
    FairPool,
    GreedyPool,
    MemoryPool,
    NoSpill,
    SharedPool,
    Spill,
)
from dagster_dfsession.session.machine import pool_bytes

LEAST_SHARE = 64 * MIB
"""Bytes with which an operator can spill what does not fit, in a few partitions."""


class RuntimeEnvSnapshot(Frozen, frozen=True, omit_defaults=True):
    """What the engine does not tell of its runtime: it has setters only.

    Attributes:
        memory_pool: `fair`, `greedy` or `unbounded`.
        memory_bytes: Size of the pool; None: unbounded.
        disk_manager: `disk` or `none`.
        shared_bytes: What all steps at once have together; None: it is not shared.
    """

    memory_pool: str
    memory_bytes: int | None
    disk_manager: str
    shared_bytes: int | None = None


def describe_runtime_env(
    pool: MemoryPool, spill: Spill, *, memory: int, steps: int = 1
) -> RuntimeEnvSnapshot:
    """Return what will be built on a machine with `memory` bytes.

    Args:
        pool: What the plan says of memory.
        spill: What it says of disk.
        memory: Bytes of the machine.
        steps: How many share a shared pool that does not say so itself.

    Raises:
        InstallError: They are too many for its size.
    """
    disk_manager = str(spill.__struct_config__.tag)
    if isinstance(pool, SharedPool):
        shared = pool_bytes(pool.size, memory)
        return RuntimeEnvSnapshot(
            memory_pool=str(FairPool.__struct_config__.tag),
            memory_bytes=share(shared, pool.steps or steps),
            disk_manager=disk_manager,
            shared_bytes=shared,
        )
    return RuntimeEnvSnapshot(
        memory_pool=str(pool.__struct_config__.tag),
        memory_bytes=(
            pool_bytes(pool.size, memory)
            if isinstance(pool, FairPool | GreedyPool)
            else None
        ),
        disk_manager=disk_manager,
    )


def share(size: int, steps: int) -> int:
    """Return the bytes that one of several steps has of `size`, in whole MiB.

    Raises:
        InstallError: It is less than a query can work with.

    Examples:
        >>> share(4096 * MIB, 4) == 1024 * MIB
        True
    """
    part = size // steps // MIB * MIB
    if part < LEAST_SHARE:
        raise InstallError.during(
            Phase.CONTEXT.value,
            "runtime.memory_pool",
            f"{size // MIB} MiB shared by {steps} steps at once leave each "
            f"{part // MIB} MiB, and a step needs {LEAST_SHARE // MIB} MiB; give more "
            "(size), or let fewer run at once (steps, max_concurrent of Dagster's "
            "executor, the limit of a Dagster pool)",
        )
    return part


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
