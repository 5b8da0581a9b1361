"""What maintenance does to a Delta table, and what it must leave alone."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from dagster_dfsession.profile.base import Bytes, Frozen

Step: TypeAlias = Literal["optimize", "checkpoint", "clean_log", "vacuum", "orphans"]
Replayable: TypeAlias = Literal["refuse", "keep", "remove"]

STEPS: tuple[Step, ...] = ("optimize", "checkpoint", "clean_log", "vacuum", "orphans")
"""The order in which they run, whatever order a policy names them in."""

_Hours: TypeAlias = Annotated[int, Meta(ge=0, description="hours")]


class MaintenancePolicy(Frozen, frozen=True):
    """What maintenance does.

    How long the log itself is kept, the table says: `delta.logRetentionDuration`.

    Attributes:
        steps: What is done.
        target_file_size: Bytes of a compacted file; None: what the table's
            `delta.targetFileSize` says, or 100 MB.
        min_files: A table of fewer files is not optimized.
        z_order_by: Columns to cluster the rows by; none: compact small files only.
            Rows are clustered again once there are new ones.
        retain_hours: Vacuum leaves files that were in the table this recently. Keep
            it longer than the longest query.
        replayable: What vacuum does about files of versions that the replay of a
            recorded materialization reads: `refuse` to remove anything, `keep` those
            files, or `remove` them with the others.
        keep_days: Versions that were replaced and last recorded longer ago than this
            count as no longer needed.
        orphan_hours: Files that no version names are orphans once they are this old.
            Keep it longer than the longest write.
        checkpoint_every: Commits since the last checkpoint that make another worth it.
        events: Whether the table `dfsession.events` of the lake is maintained too, if
            it is there; its rows are not clustered.
        dry_run: Only say what would be removed.

    Examples:
        >>> MaintenancePolicy(steps=("optimize",), z_order_by=["origin"]).z_order_by
        ('origin',)
    """

    steps: tuple[Step, ...] = STEPS
    target_file_size: Bytes | None = None
    min_files: Annotated[int, Meta(ge=1)] = 2
    z_order_by: tuple[str, ...] = ()
    retain_hours: _Hours = 168
    replayable: Replayable = "refuse"
    keep_days: Annotated[int, Meta(ge=0)] = 30
    orphan_hours: _Hours = 24
    checkpoint_every: Annotated[int, Meta(ge=1)] = 10
    events: bool = False
    dry_run: bool = False
