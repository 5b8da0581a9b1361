"""Files that writers left behind: no version of the table names them."""

import datetime as dt
import itertools
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

import pyarrow as pa

from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.files import FileEntry, LakeFiles
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.log import commits_backwards
from dagster_dfsession.delta.maintained import MaintenanceResult, existing_table

_LOG = "_delta_log"
# The second is what a killed writer leaves on a local disk.
_DATA_FILE = re.compile(r"[.]parquet(#\d+)?$")
# What a local writer leaves of its commit when it is killed right before that.
_STAGED = re.compile(rf"^{_LOG}/[^/]+#\d+$")
_CHECKPOINT = re.compile(rf"^{_LOG}/(\d{{20}})[.]checkpoint[.]")


def find_orphans(location: Location, *, older_than_hours: int = 24) -> list[FileEntry]:
    """Return data files that no version in the log names, as killed writers leave them.

    On this machine also commits of theirs that were never put in place.

    Directories whose name starts with an underscore are passed over, unless it is
    that of a partition column, and so are tables that lie below this one.

    Args:
        location: The table.
        older_than_hours: Younger files may belong to a write that is still running.

    Raises:
        DeltaError: There is no table, or the storage refused.
    """
    # Listed before the log is read: what a writer commits in between is then named.
    files = LakeFiles(location)
    entries = files.every()
    table = existing_table(location)
    divided = table.metadata().partition_columns
    before = dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=older_than_hours)
    old = [
        entry
        for entry in _own(entries)
        if entry.modified <= before and _is_written(entry.path, divided)
    ]
    if not old:
        return []
    named = set(_named(location, files, entries, table.version()))
    return [entry for entry in old if entry.path not in named]


def remove_orphans(
    location: Location, *, older_than_hours: int = 24, dry_run: bool = False
) -> MaintenanceResult:
    """Find orphans and remove them.

    Args:
        location: The table.
        older_than_hours: Younger files may belong to a write that is still running.
        dry_run: Remove nothing.

    Raises:
        DeltaError: There is no table, or the storage refused.
    """
    found = find_orphans(location, older_than_hours=older_than_hours)
    removed = [] if dry_run else found
    files = LakeFiles(location)
    for entry in removed:
        files.remove(entry.path)
    return MaintenanceResult(
        step="orphans",
        version=existing_table(location).version(),
        metrics={
            "files_removable": len(found),
            "files_removed": len(removed),
            "bytes_removed": sum(entry.bytes for entry in removed),
        },
        files=tuple(entry.path for entry in found),
    )


def _own(entries: Iterable[FileEntry]) -> Iterator[FileEntry]:
    """Leave out the tables that lie below this one."""
    entries = list(entries)
    others = {
        entry.path.partition(f"/{_LOG}/")[0]
        for entry in entries
        if f"/{_LOG}/" in entry.path
    }
    for entry in entries:
        parts = entry.path.split("/")
        if others.isdisjoint(itertools.accumulate(parts, "{}/{}".format)):
            yield entry


def _is_written(path: str, divided: list[str]) -> bool:
    """Whether a file is what a write leaves, or would have become so."""
    if _STAGED.match(path):
        return True
    columns = {f"{name}=" for name in divided}
    return _DATA_FILE.search(path) is not None and all(
        part[:1] not in ("_", ".") or any(map(part.startswith, columns))
        for part in path.split("/")
    )


def _named(
    location: Location, files: LakeFiles, entries: Iterable[FileEntry], newest: int
) -> Iterator[str]:
    """Yield each data file that some version in the log names."""
    oldest = newest
    for commit in commits_backwards(files, newest):
        oldest = commit.version
        yield from (unquote(add.path) for add in commit.adds)
        yield from (unquote(remove.path) for remove in commit.removes)
    found = [_CHECKPOINT.match(entry.path) for entry in entries]
    checkpoints = {int(match[1]) for match in found if match}
    # Where the log was cleaned up, its beginning is what the checkpoints say.
    for version in sorted(checkpoints):
        if oldest == 0:
            return
        table = existing_table(location, version)
        with delta_errors(location.uri, location.secrets):
            actions = pa.table(table.get_add_actions())
        yield from (unquote(str(p)) for p in actions.column("path").to_pylist())
        if version >= oldest - 1:
            return
