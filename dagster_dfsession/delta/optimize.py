"""Fewer, larger and better ordered files for the same rows."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
import tenacity
from deltalake import CommitProperties, DeltaTable, WriterProperties

from dagster_dfsession.delta.arrow_types import table_schema
from dagster_dfsession.delta.doubled import undo_doubled
from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.log import Z_ORDER_BY, Z_ORDER_WITHIN, commits_backwards
from dagster_dfsession.delta.maintained import MaintenanceResult, existing_table
from dagster_dfsession.errors import (
    CommitError,
    DeltaError,
    did_you_mean,
    listing,
)

_TRIES = 5


def optimize(
    location: Location,
    *,
    target_file_size: int | None = None,
    z_order_by: Sequence[str] = (),
    within: Mapping[str, Collection[str]] = MappingProxyType({}),
    min_files: int = 2,
    writer: WriterProperties | None = None,
) -> MaintenanceResult:
    """Compact small files, or cluster all rows by columns; data versions stay.

    Where another run committed meanwhile, it begins again with what is there.

    Args:
        location: The table.
        target_file_size: Bytes of a compacted file; None: what the table's
            `delta.targetFileSize` says, or 100 MB.
        z_order_by: Columns to cluster by. A table whose rows are so clustered
            already is left as it is.
        within: Partition column -> its values, as Delta Lake writes them; the files of
            others stay as they are. Empty: all files.
        min_files: A table of fewer files is left as it is.
        writer: Of the files; None: deltalake's defaults.

    Raises:
        CommitError: Other runs wrote to the table again and again.
        DeltaError: There is no table, or it cannot be clustered so.

    Examples:
        >>> import tempfile
        >>> import pyarrow as pa
        >>> from dagster_dfsession.delta.location import Lake
        >>> from dagster_dfsession.delta.request import WriteRequest
        >>> from dagster_dfsession.delta.write import write_table
        >>> flights = Lake(tempfile.mkdtemp()).table(["flights"])
        >>> for carrier in "AA", "UA":
        ...     request = WriteRequest(location=flights, mode="append")
        ...     written = write_table(
        ...         request, pa.table({"carrier": [carrier]}).to_reader()
        ...     )
        >>> done = optimize(flights)
        >>> done.metrics["files_compacted"], done.metrics["files_written"]
        (2, 1)
    """
    filters: Any = [(name, "in", sorted(within[name])) for name in sorted(within)]
    stated = _stated(z_order_by, filters)

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(CommitError),
        stop=tenacity.stop_after_attempt(_TRIES),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=5),
        reraise=True,
    )
    def attempt() -> MaintenanceResult:
        table = existing_table(location)
        _check_columns(table, location, z_order_by)
        if note := _done_already(table, location, stated, min_files):
            return _result(table, {}, note)
        read = table.version()
        with delta_errors(location.uri, location.secrets):
            if z_order_by:
                found = table.optimize.z_order(
                    z_order_by,
                    partition_filters=filters,
                    target_size=target_file_size,
                    writer_properties=writer,
                    commit_properties=CommitProperties(stated),
                )
            else:
                found = table.optimize.compact(
                    partition_filters=filters,
                    target_size=target_file_size,
                    writer_properties=writer,
                )
        if undo_doubled(location, read):
            raise CommitError(
                f"{location}: another run compacted the same files meanwhile, and this "
                "compaction was undone. Run maintenance of a table in one place only."
            )
        return _result(table, found, "")

    return attempt()


def _check_columns(
    table: DeltaTable, location: Location, z_order_by: Sequence[str]
) -> None:
    divided = table.metadata().partition_columns
    columns = [name for name in table_schema(table).names if name not in divided]
    for name in z_order_by:
        if name in divided:
            raise DeltaError(
                f"{location}: {name!r} is a partition column, which is the same in all "
                f"rows of a file; z_order_by takes {listing(columns)}"
            )
        if name not in columns:
            raise DeltaError(
                f"{location}: z_order_by names {name!r}, which the table does not "
                f"have; it has {listing(columns)}.{did_you_mean(name, columns)}"
            )


def _done_already(
    table: DeltaTable, location: Location, stated: Mapping[str, str], min_files: int
) -> str:
    files = len(table.file_uris())
    if files < min_files:
        return f"{files} files are fewer than min_files, {min_files}"
    if not stated:
        return ""
    for commit in commits_backwards(LakeFiles(location), table.version()):
        if commit.adds:
            clustered = all(
                commit.info.get(key) == stated.get(key)
                for key in (Z_ORDER_BY, Z_ORDER_WITHIN)
            )
            return "no rows are new since they were clustered" if clustered else ""
    return ""


def _stated(columns: Sequence[str], filters: Sequence[Any]) -> dict[str, str]:
    """Return the commit metadata: deltalake itself does not note the columns."""
    if not columns:
        return {}
    stated = {Z_ORDER_BY: msgspec.json.encode(columns).decode()}
    if filters:
        stated[Z_ORDER_WITHIN] = msgspec.json.encode(filters).decode()
    return stated


def _result(table: DeltaTable, found: dict[str, Any], note: str) -> MaintenanceResult:
    return MaintenanceResult(
        step="optimize",
        version=table.version(),
        metrics={
            "files_compacted": found.get("numFilesRemoved", 0),
            "files_written": found.get("numFilesAdded", 0),
            "bytes_compacted": _bytes(found.get("filesRemoved")),
            "bytes_written": _bytes(found.get("filesAdded")),
        },
        note=note,
    )


class _Files(msgspec.Struct, rename="camel"):
    total_size: int = 0


def _bytes(stated: str | None) -> int:
    return msgspec.json.decode(stated, type=_Files).total_size if stated else 0
