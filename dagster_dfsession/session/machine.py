"""How much memory this process may use."""

from pathlib import Path

import psutil

from dagster_dfsession.profile.base import MIB

UNITS = {"": 1, "K": 1024, "M": MIB, "G": 1024 * MIB}
CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def memory_limit(files: tuple[Path, ...] = CGROUP_LIMITS) -> int:
    """Return bytes: the machine's memory, or the container's if that is less."""
    limits = [int(text) for text in map(_read, files) if text.isdigit()]
    return min([psutil.virtual_memory().total, *limits])


def pool_bytes(size: int | str, memory: int) -> int:
    """Return the bytes of a pool size: itself, or a share of `memory`.

    A share is rounded down to whole MiB, so that it reads the same on machines whose
    memory differs by a few pages.

    Examples:
        >>> pool_bytes("50%", 1024 * MIB) == 512 * MIB
        True
        >>> pool_bytes("2K", 0), pool_bytes(7, 0), pool_bytes("7", 0)
        (2048, 7, 7)
    """
    if isinstance(size, int):
        return size
    if size.endswith("%"):
        share = memory * int(size.removesuffix("%")) // 100
        return max(share // MIB, 1) * MIB
    unit = size.lstrip("0123456789")
    return int(size.removesuffix(unit)) * UNITS[unit]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
