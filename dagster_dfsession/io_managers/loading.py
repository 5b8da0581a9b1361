"""Inputs: a table at the run's version, cut down to the step's partitions."""

from typing import Any

import dagster as dg

from dagster_dfsession.delta.arrow_types import table_schema
from dagster_dfsession.delta.location import Lake, open_table
from dagster_dfsession.delta.partitions import partition_predicate
from dagster_dfsession.delta.predicate import to_sql
from dagster_dfsession.errors import TableNotFoundError
from dagster_dfsession.io_managers.handlers import load_as
from dagster_dfsession.plan.quoting import quoted_identifier
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.tables import OpenedTable
from dagster_dfsession.session.failures import engine_errors
from dagster_dfsession.steps.partitions import PARTITION_EXPR, partition_request

VERSION = "version"
COLUMNS = "columns"
PREDICATE = "predicate"


def load(context: dg.InputContext, lake: Lake, run: RunSession, lease: Lease) -> Any:
    """Return an upstream asset as the type that the parameter is annotated with.

    The input's metadata may name a `version`, a list of `columns` and a `predicate`
    in SQL. What is left out this way is left out as well where a query of the step
    names the table.

    Raises:
        TableNotFoundError: The upstream asset has no table.
        PartitionError: The upstream's partitions cannot be told apart.
        UnsupportedTypeError: No table can be had as the annotated type.
    """
    key = tuple(context.asset_key.path)
    wanted = context.definition_metadata or {}
    opened = _opened(run, lake, key, wanted.get(VERSION))
    keys = _partition_keys(context)
    with engine_errors(f"reading input {'/'.join(key)}"):
        frame = lease.scan(opened)
        if keys is not None:
            frame = frame.filter(_partition_filter(context, opened, keys))
        if wanted.get(PREDICATE):
            frame = frame.filter(wanted[PREDICATE])
        if wanted.get(COLUMNS):
            frame = frame.select(*map(quoted_identifier, wanted[COLUMNS]))
    lease.load(opened, frame, tuple(keys or ()))
    return load_as(context.dagster_type.typing_type, frame, opened)


def _opened(
    run: RunSession, lake: Lake, key: tuple[str, ...], version: int | None
) -> OpenedTable:
    name = run.tables.name_of(key)
    opened = run.tables.find(name)
    if version is not None:
        location = lake.table(key)
        delta = open_table(location, version)
        opened = None if delta is None else OpenedTable(name, key, location, delta)
    if opened is None:
        raise TableNotFoundError.named(
            run.tables.spelling(name),
            sorted(run.tables.spelling(known) for known in run.tables.names()),
        )
    return opened


def _partition_keys(context: dg.InputContext) -> list[str] | None:
    """Return the upstream keys that the step reads; None: all there are."""
    if not context.has_asset_partitions:
        return None
    keys = sorted(context.asset_partition_keys)
    every = context.asset_partitions_def.get_partition_keys(
        dynamic_partitions_store=context.instance
    )
    return None if set(keys) == set(every) else keys


def _partition_filter(
    context: dg.InputContext, opened: OpenedTable, keys: list[str]
) -> str:
    if not keys:
        return "false"
    upstream = context.upstream_output
    metadata = (upstream.definition_metadata if upstream else None) or {}
    expression = metadata.get(
        PARTITION_EXPR, (context.definition_metadata or {}).get(PARTITION_EXPR)
    )
    request = partition_request(
        context.asset_partitions_def, keys, expression, "/".join(opened.key)
    )
    schema = table_schema(opened.delta)
    return to_sql(partition_predicate(request, schema), schema)
