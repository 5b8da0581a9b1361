"""Outputs: what an asset returned becomes its table."""

from typing import Any

import dagster as dg

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.modes import SchemaMode, WriteMode
from dagster_dfsession.errors import LocationError, SessionError, UnsupportedTypeError
from dagster_dfsession.resources import DataFusionSessionResource
from dagster_dfsession.steps.current import current_step
from dagster_dfsession.steps.partitions import (
    asset_target,
    check_definition,
    misspelt,
)
from dagster_dfsession.steps.publish import publish, tell


def store(
    context: dg.OutputContext,
    value: Any,
    lake: Lake,
    session: DataFusionSessionResource,
    *,
    mode: WriteMode,
    schema_mode: SchemaMode,
) -> None:
    """Write what an asset returned, and tell Dagster which session made it.

    Args:
        context: Of the output.
        value: What the asset returned.
        lake: Where its table goes.
        session: The session that made the value.
        mode: Where the asset's metadata has no `mode`.
        schema_mode: Where the asset's metadata has no `schema_mode`.

    Raises:
        LocationError: The output belongs to no asset.
        UnsupportedTypeError: The value is no table.
        DfSessionError: It could not be computed or written; nothing was.
    """
    if not context.has_asset_key:
        raise LocationError(
            f"output {context.name!r} of step {context.step_key!r} belongs to no "
            "asset; only assets have a table"
        )
    key = context.asset_key
    if value is None:
        raise UnsupportedTypeError(
            f"asset {key.to_user_string()!r} returned None: annotate it '-> None' if "
            "it writes nothing, or return its table"
        )
    check_definition(context.definition_metadata, key.path)
    for hint in misspelt(context.definition_metadata):
        context.log.warning("asset %s: %s", key.to_user_string(), hint)
    step = current_step()
    if step is None:
        raise SessionError("an output can only be handled in a step")
    # An asset with partitions has none of them in a run that has none.
    partitions = context.asset_partition_keys if context.has_asset_partitions else None
    target = asset_target(
        lake,
        key.path,
        {**(context.definition_metadata or {}), **(context.output_metadata or {})},
        mode=mode,
        schema_mode=schema_mode,
        partitions=context.asset_spec.partitions_def,
        partition_keys=partitions,
    )
    run = session.run
    published = publish(value, target, lake, run=run, lease=session.lease, step=step)
    tell(published, key, partitions or ())
    step.set_data_version(key, dg.DataVersion(published.data_version))
    if run.tags != published.tags:
        step.instance.add_run_tags(step.run_id, published.tags)
        run.tags = published.tags
