"""Cleaning up after runs that crashed, once Dagster says that they are over."""

import datetime as dt
import functools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import dagster as dg
import msgspec

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.maintained import MaintenanceResult
from dagster_dfsession.materialization.replayable import maintain_table
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.pool.holders import holders_directory
from dagster_dfsession.pool.janitor import (
    Fate,
    Leftover,
    held_leftovers,
    pinned_leftovers,
    remove_leftover,
    spilled_leftovers,
)
from dagster_dfsession.profile.maintenance import MaintenancePolicy
from dagster_dfsession.profile.runtime import SpillToDisk

OVER = frozenset(
    {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}
    | {dg.DagsterRunStatus.CANCELED}
)


class CleanUp(msgspec.Struct, frozen=True, kw_only=True):
    """What a janitor found, and whether it is gone.

    Attributes:
        leftovers: Spill directories, pins of runs, and entries of sessions.
        orphans: Asset -> data files that no version of its table names.
        removed: Whether they were removed; False: a dry run.
    """

    leftovers: tuple[Leftover, ...]
    orphans: dict[str, MaintenanceResult]
    removed: bool

    def __str__(self) -> str:
        kinds = Counter(each.kind for each in self.leftovers)
        size = sum(each.bytes for each in self.leftovers if each.kind == "spill")
        orphans = sum(len(each.files) for each in self.orphans.values())
        found = {
            f"spill directories ({size:,} bytes)": kinds["spill"],
            "runs' pins": kinds["pins"],
            "entries of dead sessions": kinds["session"],
            f"orphan files of {', '.join(self.orphans)}": orphans,
        }
        said = [f"{count} {what}" for what, count in found.items() if count]
        if not said:
            return "Nothing was left behind."
        verb = "Removed" if self.removed else "A dry run: would remove"
        return f"{verb} {', '.join(said)}."


def clean_up(
    instance: dg.DagsterInstance,
    *,
    lakes: Iterable[Lake],
    spill_directory: Path,
    tables: Iterable[tuple[Lake, dg.AssetKey]] = (),
    older_than: dt.timedelta,
    dry_run: bool = False,
) -> CleanUp:
    """Remove what runs left that are over, and killed processes of this machine.

    Args:
        instance: Which says what became of a run.
        lakes: Where runs pin versions.
        spill_directory: Where sessions make their spill directories.
        tables: Those whose orphan files are removed.
        older_than: Whatever was written to more recently is left alone.
        dry_run: Remove nothing.

    Raises:
        DeltaError: A storage refused, or a table is not there.
        PoolError: A file among the entries of sessions is none.
    """
    fate = run_fate(instance)
    here = (
        *spilled_leftovers(spill_directory, fate, older_than=older_than),
        *held_leftovers(holders_directory(), older_than=older_than),
    )
    pinned = [
        (each, lake)
        for lake in lakes
        for each in pinned_leftovers(lake, fate, older_than=older_than)
    ]
    if not dry_run:
        for each in here:
            remove_leftover(each)
        for each, lake in pinned:
            remove_leftover(each, lake)
    hours = int(older_than / dt.timedelta(hours=1))
    policy = MaintenancePolicy(steps=("orphans",), orphan_hours=hours, dry_run=dry_run)
    return CleanUp(
        leftovers=(*here, *(each for each, _ in pinned)),
        orphans=dict(_orphans(tables, policy)),
        removed=not dry_run,
    )


def _orphans(
    tables: Iterable[tuple[Lake, dg.AssetKey]], policy: MaintenancePolicy
) -> Iterator[tuple[str, MaintenanceResult]]:
    for lake, key in tables:
        (result,) = maintain_table(lake, key.path, policy)
        if result.files:
            yield key.to_user_string(), result


def run_fate(instance: dg.DagsterInstance) -> Callable[[str], Fate]:
    """Return a function that tells what became of a run; it asks once for each."""

    @functools.cache
    def fate(run_id: str) -> Fate:
        run = instance.get_run_by_id(run_id)
        if run is None:
            return "unknown"
        return "over" if run.status in OVER else "running"

    return fate


def spill_directory(plan: SessionPlan) -> Path:
    """Return where sessions of a plan make their spill directories."""
    given = plan.spill.directory if isinstance(plan.spill, SpillToDisk) else None
    return Path(given or tempfile.gettempdir())
