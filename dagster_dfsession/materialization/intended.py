"""The write that a target asks for, decided from the columns before there are rows."""

import datetime as dt
from typing import Any

import pyarrow as pa

from dagster_dfsession.delta.arrow_types import delta_type, table_schema
from dagster_dfsession.delta.layout import check_layout
from dagster_dfsession.delta.location import open_table
from dagster_dfsession.delta.merge_source import stored_columns
from dagster_dfsession.delta.merges import DeleteMatched
from dagster_dfsession.delta.partitions import (
    default_partition_columns,
    partition_columns,
    partition_predicate,
)
from dagster_dfsession.delta.request import (
    WriteRequest,
    check_partition_columns,
    check_request,
    check_there,
    target_schema,
)
from dagster_dfsession.materialization.clustering import check_clustering
from dagster_dfsession.materialization.partition_values import with_partition_columns
from dagster_dfsession.materialization.promise import Promise
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.profile.delta import DeltaProfile


def intended_write(
    target: Target, schema: pa.Schema, delta: DeltaProfile
) -> WriteRequest:
    """Return the write of a target, less what only a run can say of it.

    Args:
        target: Where it goes.
        schema: From `partition_schema`.
        delta: How tables are written where the target does not say.

    Raises:
        PartitionError: The partition keys do not fit the columns.
        SchemaMismatchError: The layout names columns that are not there.
    """
    predicate, partition_by = None, target.partition_by or ()
    if target.partitions is not None:
        predicate = partition_predicate(target.partitions, schema)
        if target.partition_by is None:
            partition_by = default_partition_columns(target.partitions, schema)
    request = WriteRequest(
        location=target.location,
        mode=target.mode,
        schema_mode=target.schema_mode,
        merge=target.merge,
        run_start=target.run_start or dt.datetime.now(dt.timezone.utc),
        partitioned=target.partitions is not None,
        predicate=predicate,
        partition_by=partition_by,
        options=target.layout.over(delta),
        declared=target.declared,
    )
    check_layout(target.layout, request.options, schema, target.name)
    check_clustering(target, request)
    return request


def partition_schema(target: Target, schema: pa.Schema) -> pa.Schema:
    """Return the columns with those of the partitions as the table holds them.

    Without rows, some libraries give a column no type: then the table's own counts.
    """
    if target.partitions is None:
        return schema
    own = set(partition_columns(target.partitions))
    untyped = {f.name for f in schema if f.name in own and pa.types.is_null(f.type)}
    table = open_table(target.location) if untyped else None
    held = pa.schema([]) if table is None else table_schema(table)

    def typed(field: "pa.Field[Any]") -> "pa.Field[Any]":
        if field.name in untyped and field.name in held.names:
            return held.field(field.name)
        if field.name in own:
            return field.with_type(delta_type(field.type, field.name))
        return field

    return pa.schema([typed(field) for field in schema])


def columns_after(target: Target, schema: pa.Schema, delta: DeltaProfile) -> pa.Schema:
    """Return the columns that a table would have after a write; nothing is written.

    Args:
        target: Where it would go.
        schema: The columns of what would be written.
        delta: How tables are written where the target does not say.

    Raises:
        ContractError: They are not what the asset promises.
        DeltaError: The write would be refused for its columns.
    """
    nothing = pa.RecordBatchReader.from_batches(schema, [])
    wide = with_partition_columns(nothing, target).schema
    Promise(target, wide)
    wide = partition_schema(target, wide)
    request = intended_write(target, wide, delta)
    check_request(request)
    table = open_table(target.location)
    check_there(request, table)
    stored = stored_columns(request.merge, wide)
    check_partition_columns(request, table, stored.names)
    written = target_schema(request, table, stored)
    if table is None or request.schema_mode == "overwrite":
        return written
    own = table_schema(table)
    if isinstance(request.merge, DeleteMatched):
        return own
    return pa.schema([*own, *(f for f in written if f.name not in own.names)])
