"""Removing the files of versions that nobody reads any more."""

from collections.abc import Callable, Collection, Iterable, Mapping
from urllib.parse import unquote

import msgspec

from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.log import commits_backwards
from dagster_dfsession.delta.maintained import MaintenanceResult, existing_table
from dagster_dfsession.errors import DeltaError, listing
from dagster_dfsession.profile.maintenance import Replayable

_RETENTION = "delta.deletedFileRetentionDuration"
_EXAMPLES = 5


class NeededVersion(msgspec.Struct, frozen=True):
    """A version of a table that the replay of a materialization reads.

    Attributes:
        why: Which run wrote it, or which record says that it was read.
    """

    version: int
    why: str


class _Lifetime(msgspec.Struct):
    """The versions, from `first` up to `end` without it, that a file belongs to."""

    first: int
    end: int
    size: int


def vacuum(
    location: Location,
    *,
    retain_hours: int = 168,
    replayable: Replayable = "refuse",
    needed: Callable[[], Iterable[NeededVersion]] = tuple,
    dry_run: bool = False,
) -> MaintenanceResult:
    """Remove files that left the table longer ago than it retains them.

    What would go is listed first. Files that never were in the table are not touched:
    `remove_orphans` finds those.

    Args:
        location: The table.
        retain_hours: Files that left it more recently stay. A table that retains
            them longer, by its own property, is left as it is.
        replayable: What is done about files of needed versions: `refuse` to remove
            anything, `keep` them, or `remove` them too.
        needed: Asked for the needed versions once there is something to remove.
        dry_run: Remove nothing.

    Raises:
        DeltaError: A needed version would lose files; or there is no table, or it
            retains files for longer. Nothing was removed.
    """
    table = existing_table(location)
    # Without a property of its own the table retains files for a week; a policy that
    # says less is meant.
    enforced = _RETENTION in table.metadata().configuration
    with delta_errors(location.uri, location.secrets):
        paths = table.vacuum(
            retain_hours, dry_run=True, enforce_retention_duration=enforced
        )
    lifetimes = _lifetimes(location, table.version(), paths)
    reasons = _reasons(() if replayable == "remove" or not paths else needed())
    held = _held(lifetimes, reasons)
    if held and replayable == "refuse" and not dry_run:
        raise _refusal(location, lifetimes, held, reasons)
    removable = [path for path in lifetimes if path not in held]
    removed: list[str] = []
    if removable and not dry_run:
        with delta_errors(location.uri, location.secrets):
            table.vacuum(
                retain_hours,
                dry_run=False,
                enforce_retention_duration=enforced,
                keep_versions=sorted({*held.values()}),
            )
        removed = removable
    return MaintenanceResult(
        step="vacuum",
        version=table.version(),
        metrics={
            "files_removable": len(removable),
            "files_removed": len(removed),
            "bytes_removed": sum(lifetimes[path].size for path in removed),
            "files_kept": len(held),
        },
        files=tuple(sorted(removable)),
        note=f"kept for replay: {_told(held, reasons)}" if held else "",
    )


def _lifetimes(
    location: Location, newest: int, paths: Collection[str]
) -> dict[str, _Lifetime]:
    """Return for each path the versions it was in, as the log tells."""
    found = {path: _Lifetime(newest, 0, 0) for path in paths}
    if not found:
        return found
    oldest = newest
    for commit in commits_backwards(LakeFiles(location), newest):
        oldest = commit.version
        for remove in commit.removes:
            if file := found.get(unquote(remove.path)):
                file.end = max(file.end, commit.version)
                file.size = remove.size or file.size
        for add in commit.adds:
            if file := found.get(unquote(add.path)):
                file.first, file.size = commit.version, add.size
    for file in found.values():
        # Added, or even removed, before the log begins.
        file.end = file.end or oldest
        file.first = 0 if file.first == newest else file.first
    return found


def _reasons(needed: Iterable[NeededVersion]) -> dict[int, list[str]]:
    """Return why each version is needed, the newest first."""
    found: dict[int, list[str]] = {}
    for each in sorted(needed, key=lambda each: -each.version):
        found.setdefault(each.version, []).append(each.why)
    return found


def _held(
    lifetimes: Mapping[str, _Lifetime], versions: Iterable[int]
) -> dict[str, int]:
    """Return for each file that is needed a version that needs it."""
    newest_first = list(versions)
    wanted = {
        path: next((v for v in newest_first if file.first <= v < file.end), None)
        for path, file in lifetimes.items()
    }
    return {path: version for path, version in wanted.items() if version is not None}


def _told(held: Mapping[str, int], reasons: Mapping[int, list[str]]) -> str:
    versions = sorted({*held.values()})
    told = [
        f"version {version} ({'; '.join(reasons[version][:_EXAMPLES])})"
        for version in versions[:_EXAMPLES]
    ]
    more = len(versions) - _EXAMPLES
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")


def _refusal(
    location: Location,
    lifetimes: Mapping[str, _Lifetime],
    held: Mapping[str, int],
    reasons: Mapping[int, list[str]],
) -> DeltaError:
    return DeltaError(
        f"{location}: vacuum would remove {len(held)} of {len(lifetimes)} files that "
        f"replays need, and removed nothing. Needed: {_told(held, reasons)}. Files: "
        f"{listing(held, limit=_EXAMPLES)}. To remove the others only, set replayable "
        "to 'keep'; to give up those replays, set it to 'remove', or keep_days lower."
    )
