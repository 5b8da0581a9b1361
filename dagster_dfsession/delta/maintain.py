"""All that a policy asks for, in order."""

from collections.abc import Callable, Iterable

import msgspec

from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.maintained import MaintenanceResult, existing_table
from dagster_dfsession.delta.optimize import optimize
from dagster_dfsession.delta.orphans import remove_orphans
from dagster_dfsession.delta.vacuum import NeededVersion, vacuum
from dagster_dfsession.profile.maintenance import STEPS, MaintenancePolicy, Step

_LOG = "_delta_log"
_DRY = "not done in a dry run"


def maintain(
    location: Location,
    policy: MaintenancePolicy,
    needed: Callable[[], Iterable[NeededVersion]] = tuple,
) -> tuple[MaintenanceResult, ...]:
    """Do what the policy asks for, in the order of `STEPS`.

    Args:
        location: The table.
        policy: What to do.
        needed: Asked for the versions that replays need, if vacuum must know.

    Returns:
        One result a step.

    Raises:
        CommitError: Other runs wrote to the table again and again.
        DeltaError: A step was refused; those before it are done.
    """
    existing_table(location)
    return tuple(
        _done(step, location, policy, needed) for step in STEPS if step in policy.steps
    )


def checkpoint(location: Location, *, every: int = 1) -> MaintenanceResult:
    """Write the state of the newest version as a file, so that readers start there.

    Args:
        location: The table.
        every: Commits since the last checkpoint that make another worth it.

    Raises:
        DeltaError: There is no table, or the storage refused.
    """
    table, last = existing_table(location), _last_checkpoint(location)
    commits = table.version() - last
    if commits >= every:
        with delta_errors(location.uri, location.secrets):
            table.create_checkpoint()
    written = int(commits >= every)
    return MaintenanceResult(
        step="checkpoint",
        version=table.version(),
        metrics={"checkpoints_written": written},
        note="" if written else f"only {commits} commits since version {last}",
    )


def clean_log(location: Location) -> MaintenanceResult:
    """Remove commits older than the log is kept: `delta.logRetentionDuration`, 30 days.

    Versions before the last checkpoint that is that old can no longer be opened.

    Raises:
        DeltaError: There is no table, or the storage refused.
    """
    table, files = existing_table(location), LakeFiles(location)
    before = {*files.list(_LOG)}
    with delta_errors(location.uri, location.secrets):
        table.cleanup_metadata()
    removed = sorted(before.difference(files.list(_LOG)))
    return MaintenanceResult(
        step="clean_log",
        version=table.version(),
        metrics={"log_files_removed": len(removed)},
        files=tuple(removed),
    )


def _done(
    step: Step,
    location: Location,
    policy: MaintenancePolicy,
    needed: Callable[[], Iterable[NeededVersion]],
) -> MaintenanceResult:
    if step == "vacuum":
        return vacuum(
            location,
            retain_hours=policy.retain_hours,
            replayable=policy.replayable,
            needed=needed,
            dry_run=policy.dry_run,
        )
    if step == "orphans":
        return remove_orphans(
            location, older_than_hours=policy.orphan_hours, dry_run=policy.dry_run
        )
    if policy.dry_run:
        version = existing_table(location).version()
        return MaintenanceResult(step=step, version=version, metrics={}, note=_DRY)
    if step == "optimize":
        return optimize(
            location,
            target_file_size=policy.target_file_size,
            z_order_by=policy.z_order_by,
            min_files=policy.min_files,
        )
    if step == "checkpoint":
        return checkpoint(location, every=policy.checkpoint_every)
    return clean_log(location)


class _LastCheckpoint(msgspec.Struct):
    version: int


def _last_checkpoint(location: Location) -> int:
    """Return the version of the last checkpoint; -1 if there is none."""
    text = LakeFiles(location).read(f"{_LOG}/_last_checkpoint")
    return msgspec.json.decode(text, type=_LastCheckpoint).version if text else -1
