"""Inputs: a table at the run's version, cut down to the step's partitions."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from datafusion import DataFrame

from dagster_dfsession.delta.arrow_types import table_schema
from dagster_dfsession.delta.changes import START
from dagster_dfsession.delta.location import Lake, open_table
from dagster_dfsession.delta.partitions import partition_predicate
from dagster_dfsession.delta.predicate import to_sql
from dagster_dfsession.errors import TableNotFoundError, UnsupportedTypeError, listing
from dagster_dfsession.io_managers.changes import Changes
from dagster_dfsession.io_managers.feeds import CHANGES, changed_since_last_read
from dagster_dfsession.io_managers.handlers import (
    CHANGES_TYPE,
    DELTA_TABLE,
    LOADERS,
    is_lazy,
    load_as,
    takes_none,
    type_name,
)
from dagster_dfsession.io_managers.versions import open_input
from dagster_dfsession.pool.changed import ChangedTable
from dagster_dfsession.pool.inputs import Narrowing
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.reading import bound
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.tables import OpenedTable
from dagster_dfsession.session.failures import engine_errors
from dagster_dfsession.steps.current import current_step
from dagster_dfsession.steps.partitions import (
    PARTITION_EXPR,
    partition_request,
    plain_metadata,
)

COLUMNS = "columns"
PREDICATE = "predicate"


def load(context: dg.InputContext, lake: Lake, run: RunSession, lease: Lease) -> Any:
    """Return an upstream asset as the type that the parameter is annotated with.

    The input's metadata may name a `version` or a `timestamp`, a list of `columns` and
    a `predicate` in SQL. With `changes`, or as `Changes`, an input is the rows that
    changed since the asset last read it. What is left out in one of these ways is left
    out as well where a query of the step names the table. A DeltaTable is always the
    whole table.

    Where there is no table, a parameter that may be None is. So it is on the first day
    of an asset that reads its own day before; without `| None`, it is given a frame
    without rows and columns.

    Raises:
        TableNotFoundError: The upstream asset has no table.
        PartitionError: The upstream's partitions cannot be told apart.
        UnsupportedTypeError: No table can be had as the annotated type.
        DeltaError: There is no such version, or what changed is not known.
    """
    key = tuple(context.asset_key.path)
    asset = "/".join(key)
    wanted = plain_metadata(context.definition_metadata)
    annotation = context.dagster_type.typing_type
    if wanted.get(CHANGES) and type_name(annotation) == DELTA_TABLE:
        raise UnsupportedTypeError(
            f"input {asset}: the rows that changed were asked for, by 'changes', as a "
            f"{DELTA_TABLE}, which is a whole table. Annotate the parameter with "
            f"{listing([CHANGES_TYPE, *LOADERS])}, or leave 'changes' out."
        )
    opened = open_input(run, lake, key, wanted)
    keys = _partition_keys(context)
    if opened is None:
        if takes_none(annotation):
            return None
        if keys != [] or type_name(annotation) == DELTA_TABLE:
            raise _absent(run, key)
        nothing = lease.session.ctx.empty_table().limit(0)
        return load_as(annotation, nothing, asset)
    if wanted.get(CHANGES) or type_name(annotation) == CHANGES_TYPE:
        opened = changed_since_last_read(opened, run)
    narrowing = Narrowing(
        filters=(
            *([] if keys is None else [_partition_filter(context, opened, keys)]),
            *([wanted[PREDICATE]] if wanted.get(PREDICATE) else []),
        ),
        columns=_columns(wanted),
    )
    with engine_errors(f"reading input {asset}"):
        frame = lease.load(opened, None if keys is None else tuple(keys), narrowing)
    if type_name(annotation) == CHANGES_TYPE:
        return _changes(opened, frame)
    if type_name(annotation) == DELTA_TABLE:
        # One of its own: it could be moved to another version.
        return open_table(opened.location, opened.version)
    if not is_lazy(annotation):
        with engine_errors(f"reading input {asset}"):
            frame = bound(frame, lease, run.tables).frame
    return load_as(annotation, frame, asset)


def _columns(wanted: Mapping[str, Any]) -> tuple[str, ...] | None:
    columns = wanted.get(COLUMNS)
    if not columns:
        return None
    return (columns,) if isinstance(columns, str) else tuple(columns)


def _changes(opened: OpenedTable, frame: DataFrame) -> Changes:
    since = opened.since if isinstance(opened, ChangedTable) else START
    return Changes(frame, None if since == START else since, opened.version)


def _absent(run: RunSession, key: tuple[str, ...]) -> TableNotFoundError:
    tables = run.tables
    return TableNotFoundError.named(
        tables.spelling(tables.name_of(key)),
        sorted(tables.spelling(known) for known in tables.names()),
    )


def _partition_keys(context: dg.InputContext) -> list[str] | None:
    """Return the upstream keys that the step reads; None: the whole table."""
    if not context.has_asset_partitions:
        return None
    keys = sorted(map(str, context.asset_partition_keys))
    if _has_partitions(context):
        return keys
    every = context.asset_partitions_def.get_partition_keys(
        dynamic_partitions_store=context.instance
    )
    return None if set(keys) == set(every) else keys


def _has_partitions(context: dg.InputContext) -> bool:
    """Whether the step that reads has partitions of its own.

    If so, rows of keys that are no longer defined are none of its business, however
    many keys it reads.
    """
    step = current_step()
    if step is None or not step.has_assets_def:
        return context.has_partition_key
    specs = map(step.assets_def.get_asset_spec, step.selected_asset_keys)
    return any(spec.partitions_def is not None for spec in specs)


def _partition_filter(
    context: dg.InputContext, opened: OpenedTable, keys: list[str]
) -> str:
    if not keys:
        return "false"
    upstream = context.upstream_output
    metadata = plain_metadata(context.definition_metadata) | plain_metadata(
        upstream.definition_metadata if upstream else None
    )
    request = partition_request(
        context.asset_partitions_def,
        keys,
        metadata.get(PARTITION_EXPR),
        "/".join(opened.key),
    )
    schema = table_schema(opened.delta)
    return to_sql(partition_predicate(request, schema), schema)
