"""What becomes the session's `RuntimeEnv`: memory and disk."""

from typing import Annotated, TypeAlias

from msgspec import Meta

from dagster_dfsession.profile.base import NOT_HASHED, Bytes, Frozen, Size

PoolSize: TypeAlias = Annotated[
    Bytes | Size,
    Meta(description="Bytes, '2G', or a share of this machine's memory: '50%'."),
]


class FairPool(Frozen, frozen=True, tag_field="kind", tag="fair"):
    """Divide `size` evenly among the operators of a query that can spill."""

    size: PoolSize


class GreedyPool(Frozen, frozen=True, tag_field="kind", tag="greedy"):
    """Give `size` to whoever asks first; best where one operator dominates."""

    size: PoolSize


class SharedPool(Frozen, frozen=True, tag_field="kind", tag="shared"):
    """Divide `size` evenly among steps at once; a step's part is a fair pool.

    Attributes:
        size: What all of them have together.
        steps: How many may run at once here. None: as many as Dagster may start of
            the run, which its executor, its steps and the limits of their Dagster
            pools say. Of other runs it knows nothing: where several may run at once,
            say how many steps they may have together.
    """

    size: PoolSize
    steps: Annotated[
        Annotated[int, Meta(ge=1, le=65536)] | None,
        Meta(description="Steps that share the size. Unset: as Dagster may start."),
    ] = None


class UnboundedPool(Frozen, frozen=True, tag_field="kind", tag="unbounded"):
    """Never refuse memory: nothing spills, and the machine's limit is the limit."""


MemoryPool: TypeAlias = FairPool | GreedyPool | SharedPool | UnboundedPool


class SpillToDisk(Frozen, frozen=True, tag_field="kind", tag="disk"):
    """Spill to a directory that lives as long as the session.

    DataFusion 55 cannot have a directory of its own and a limit on its size at once:
    setting either drops the other. A session has its own directory, so that nothing
    of it is left behind.

    Attributes:
        directory: An existing directory in which each session makes its own.
            None: the system's temporary directory.
    """

    directory: Annotated[
        str | None,
        Meta(
            description="Existing directory for spilled batches. Unset: the system's.",
            extra=NOT_HASHED,
        ),
    ] = None


class NoSpill(Frozen, frozen=True, tag_field="kind", tag="none"):
    """Never write to disk: a query that needs more memory fails."""


Spill: TypeAlias = SpillToDisk | NoSpill


class RuntimeProfile(Frozen, frozen=True):
    """Memory and disk of a session."""

    memory_pool: Annotated[
        MemoryPool, Meta(description="Where operators reserve memory.")
    ] = FairPool(size="50%")
    spill: Annotated[
        Spill, Meta(description="What operators do when memory runs out.")
    ] = SpillToDisk()
