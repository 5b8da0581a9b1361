"""What a write left behind, read off its commit."""

import itertools
from collections import defaultdict

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from dagster_dfsession.delta.arrow_types import table_schema
from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.log import MERGE, Commit, commits_backwards, read_commit
from dagster_dfsession.errors import DeltaError

_NEAR = 100


class PartitionWritten(msgspec.Struct, frozen=True):
    """What a commit added to one physical partition.

    Attributes:
        values: Partition column and its value as Delta writes it; None is NULL.
        rows: None if the writer counted none.
        bytes: On disk, compressed.
    """

    values: tuple[tuple[str, str | None], ...]
    rows: int | None
    bytes: int


class RowsMerged(msgspec.Struct, frozen=True):
    """What a merge did to rows; `copied` ones only moved to another file."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    copied: int = 0


class WriteResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a write did.

    Attributes:
        version: The table's version that holds it.
        rows: Rows written; of a merge, those inserted or updated. In an earlier write
            of the same idempotence key: rows of the files it added; None if its commit
            is no longer in the log.
        files: Files added; those rewritten to keep other rows count too.
        bytes: Bytes of these files.
        partitions: The same by physical partition; one entry if there is none.
        table_rows: All rows of that version; None if a file has no statistics.
        table_bytes: All bytes of that version.
        table_schema: Its columns.
        merged: What a merge did; None: the commit is no merge.
        already_committed: An earlier attempt had written; this one wrote nothing.
        wrote: False: there was nothing to write, so `version` is an older one.
        retries: Commits of others that came in between: above each, this one was
            tried again.
    """

    version: int
    rows: int | None
    files: int
    bytes: int
    partitions: tuple[PartitionWritten, ...]
    table_rows: int | None
    table_bytes: int
    table_schema: pa.Schema
    merged: RowsMerged | None = None
    already_committed: bool = False
    wrote: bool = True
    retries: int = 0


def result_of_write(table: DeltaTable, location: Location, rows: int) -> WriteResult:
    """Return the result of the commit that made the table's loaded version.

    Raises:
        DeltaError: The commit cannot be read.
    """
    commit = read_commit(LakeFiles(location), table.version())
    if commit is None:
        raise DeltaError(
            f"{location}: version {table.version()} was committed, but its commit file "
            "is gone already; is the log retention of the table too short?"
        )
    return _result(table, location, commit, rows)


def result_of_nothing(
    table: DeltaTable, location: Location, merged: RowsMerged | None = None
) -> WriteResult:
    """Return the result of a write that had nothing to do.

    Raises:
        DeltaError: The table's files cannot be listed.
    """
    nothing = _result(table, location, None, 0)
    return msgspec.structs.replace(nothing, merged=merged, wrote=False)


def result_of_moving(
    table: DeltaTable, location: Location, written: WriteResult
) -> WriteResult:
    """Return the result of a write whose rows the table's loaded version has moved.

    Raises:
        DeltaError: The commit cannot be read.
    """
    moved = result_of_write(table, location, 0)
    return msgspec.structs.replace(
        moved,
        rows=written.rows,
        merged=written.merged,
        already_committed=written.already_committed,
    )


def result_of_earlier(
    table: DeltaTable, location: Location, app_id: str, app_version: int
) -> WriteResult:
    """Return the result of the write that an earlier attempt committed.

    Raises:
        DeltaError: The log cannot be read.
    """
    near = itertools.islice(
        commits_backwards(LakeFiles(location), table.version()), _NEAR
    )
    commit = next((c for c in near if c.transactions.get(app_id) == app_version), None)
    rows = None if commit is None else _total([add.rows for add in commit.adds])
    earlier = _result(table, location, commit, rows)
    return msgspec.structs.replace(earlier, already_committed=True)


def _result(
    table: DeltaTable, location: Location, commit: Commit | None, rows: int | None
) -> WriteResult:
    adds = () if commit is None else commit.adds
    merged = None if commit is None else _merged(commit)
    with delta_errors(location.uri, location.secrets):
        live = pa.table(table.get_add_actions())
    counts = live.column("num_records")
    return WriteResult(
        version=table.version() if commit is None else commit.version,
        rows=rows if merged is None else merged.inserted + merged.updated,
        files=len(adds),
        bytes=sum(add.size for add in adds),
        partitions=() if commit is None else _by_partition(commit),
        table_rows=None if counts.null_count else pc.sum(counts).as_py() or 0,
        table_bytes=pc.sum(live.column("size_bytes")).as_py() or 0,
        table_schema=table_schema(table),
        merged=merged,
    )


def _merged(commit: Commit) -> RowsMerged | None:
    if commit.operation != MERGE:
        return None
    counts = commit.info.get("operationMetrics", {})
    fields = RowsMerged.__struct_fields__
    return RowsMerged(**{f: int(counts[f"num_target_rows_{f}"]) for f in fields})


def _by_partition(commit: Commit) -> tuple[PartitionWritten, ...]:
    found = defaultdict(list)
    for add in commit.adds:
        found[tuple(sorted(add.partition_values.items()))].append(add)
    return tuple(
        PartitionWritten(
            values=values,
            rows=_total([add.rows for add in adds]),
            bytes=sum(add.size for add in adds),
        )
        for values, adds in sorted(found.items(), key=lambda item: str(item[0]))
    )


def _total(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
