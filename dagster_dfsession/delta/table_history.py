"""The commits of a table as a table."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.history import partition_keys
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.log import (
    ASSET,
    DATA_VERSION,
    RUN_ID,
    SESSION_HASH,
    Commit,
    commits_backwards,
)
from dagster_dfsession.delta.maintained import existing_table

_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("version", pa.int64()),
    ("timestamp", pa.timestamp("ms", tz="UTC")),
    ("operation", pa.string()),
    ("run_id", pa.string()),
    ("asset", pa.string()),
    ("partitions", pa.list_(pa.string())),
    ("session_hash", pa.string()),
    ("data_version", pa.string()),
    ("changes_data", pa.bool_()),
    ("rows_added", pa.int64()),
    ("rows_removed", pa.int64()),
    ("files_added", pa.int64()),
    ("files_removed", pa.int64()),
    ("bytes_added", pa.int64()),
]
HISTORY = pa.schema(_COLUMNS)
"""Columns of `history`. Rows are NULL where a writer counted none, or where the log no
longer tells what was removed; an overwrite of part of a file counts all its rows."""


def history(location: Location, version: int | None = None) -> pa.Table:
    """Return the commits that the log still has, the newest first.

    `DeltaTable.history` will not do: for a table at an older version it counts from
    the wrong end, and it leaves out commits without commit information.

    Args:
        location: The table.
        version: The newest that counts; None: all.

    Raises:
        DeltaError: There is no table, or the log cannot be read.

    Examples:
        >>> import tempfile
        >>> from dagster_dfsession.delta.location import Lake
        >>> from dagster_dfsession.delta.request import WriteRequest
        >>> from dagster_dfsession.delta.write import write_table
        >>> flights = Lake(tempfile.mkdtemp()).table(["flights"])
        >>> rows = pa.table({"carrier": ["AA", "UA"]})
        >>> written = write_table(WriteRequest(location=flights), rows.to_reader())
        >>> history(flights).select(["version", "operation", "rows_added"]).to_pylist()
        [{'version': 0, 'operation': 'WRITE', 'rows_added': 2}]
    """
    newest = existing_table(location, version).version()
    commits = [*commits_backwards(LakeFiles(location), newest)][::-1]
    rows: dict[str, int | None] = {}
    found = []
    for commit in commits:
        removed = [rows.get(remove.path) for remove in commit.removes]
        rows |= {add.path: add.rows for add in commit.adds}
        found.append(_row(commit, removed))
    return pa.Table.from_pylist(found[::-1], schema=HISTORY)


def _row(commit: Commit, removed: Iterable[int | None]) -> Mapping[str, Any]:
    info, keys = commit.info, partition_keys(commit)
    return {
        "version": commit.version,
        "timestamp": commit.time,
        "operation": commit.operation or None,
        "run_id": info.get(RUN_ID),
        "asset": info.get(ASSET),
        "partitions": None if keys is None else sorted(keys),
        "session_hash": info.get(SESSION_HASH),
        "data_version": info.get(DATA_VERSION),
        "changes_data": commit.changes_data,
        "rows_added": _sum(add.rows for add in commit.adds),
        "rows_removed": _sum(removed),
        "files_added": len(commit.adds),
        "files_removed": len(commit.removes),
        "bytes_added": sum(add.size for add in commit.adds),
    }


def _sum(counts: Iterable[int | None]) -> int | None:
    found = list(counts)
    known = [count for count in found if count is not None]
    return sum(known) if len(known) == len(found) else None
