"""Clustering what a write added by several columns at once."""

import logging

import pyarrow as pa

from dagster_dfsession.delta.layout import writer_properties
from dagster_dfsession.delta.location import open_table
from dagster_dfsession.delta.optimize import optimize
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.written import WriteResult, result_of_moving
from dagster_dfsession.errors import CommitError, PartitionError, listing
from dagster_dfsession.materialization.target import Target

LOG = logging.getLogger("dagster_dfsession")


def check_clustering(target: Target, request: WriteRequest) -> None:
    """Refuse to cluster by columns that divide the files already.

    Raises:
        PartitionError: One does.
    """
    columns = target.layout.z_order_by
    table = open_table(target.location) if columns else None
    divided = (
        request.partition_by if table is None else table.metadata().partition_columns
    )
    if same := sorted(set(columns) & set(divided)):
        raise PartitionError(
            f"{target.name}: z_order_by names {listing(same)}, by which the table is "
            "partitioned: all rows of a file have the same. Leave it out."
        )


def clustered(
    target: Target, request: WriteRequest, schema: pa.Schema, written: WriteResult
) -> WriteResult:
    """Cluster the partitions that a write added to, in a commit of its own.

    The rows stay the same, and so does their data version. Of a table without
    partitions all files are rewritten. The write is there before this begins: where
    other runs come in between again and again, the rows stay as they were written,
    and the log has a warning.

    Returns:
        What the table has then; as it was written, where another run has committed
        between the two.

    Raises:
        DeltaError: The storage, or the engine, refused.
    """
    columns = target.layout.z_order_by
    if not columns or not written.files:
        return written
    try:
        done = optimize(
            target.location,
            target_file_size=request.options.target_file_size,
            z_order_by=columns,
            within=_within(written),
            min_files=1,
            writer=writer_properties(request.options, schema),
        )
    except CommitError as error:
        LOG.warning(
            "%s was written, but its files are not clustered: %s", target.name, error
        )
        return written
    if done.version != written.version + 1:
        return written
    table = open_table(target.location, done.version)
    return (
        written if table is None else result_of_moving(table, target.location, written)
    )


def _within(written: WriteResult) -> dict[str, set[str]]:
    """Return the values of partition columns; of those with NULLs, all are meant."""
    found: dict[str, set[str]] = {}
    has_nulls = set()
    for part in written.partitions:
        for column, value in part.values:
            if value is None:
                has_nulls.add(column)
            else:
                found.setdefault(column, set()).add(value)
    return {name: found[name] for name in found if name not in has_nulls}
