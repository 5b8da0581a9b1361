"""Writing an asset's value, with its record and all that Dagster is told of it."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import msgspec

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import RecordError, SessionError
from dagster_dfsession.materialization.materialize import Materialization
from dagster_dfsession.materialization.recorded import materialize_recorded
from dagster_dfsession.materialization.records import (
    QueryRecord,
    RecordStore,
    SessionRecord,
    WriteRecord,
    session_changes,
)
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.metadata.columns import declared_columns
from dagster_dfsession.metadata.entries import (
    FIRST,
    NO_CHANGES,
    PARTITIONS_TOLD_WHOLE,
    brief_metadata,
    changes_text,
    materialization_metadata,
    partition_metadata,
    session_tags,
)
from dagster_dfsession.metadata.keys import RECORD, SESSION_HASH
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.profile.codec import dump_profile
from dagster_dfsession.session.session import Session
from dagster_dfsession.steps.current import current_step
from dagster_dfsession.steps.partitions import asset_target, check_definition

AS_COMPOSED = "as composed"
NATIVE = "native scans"


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What Dagster is told of a materialization.

    Attributes:
        metadata: For the asset.
        by_partition: Partition key -> metadata of that partition alone.
        tags: For the run, and for the event where it can have tags.
    """

    metadata: dict[str, Any]
    by_partition: dict[str, dict[str, Any]]
    data_version: str
    tags: dict[str, str]


def publish(
    value: Any,
    target: Target,
    lake: Lake,
    *,
    run: RunSession,
    lease: Lease,
    step: dg.OpExecutionContext,
) -> Published:
    """Write a value, keep the record of its session, and describe both.

    The record is written after the table: a record without its table is harmless,
    a table is never without the commit that names its session.

    Raises:
        DfSessionError: The value could not be computed or written; nothing was.
    """
    with run.trace.current():
        made = materialize_recorded(value, target, run.tables, lease)
    store = RecordStore(LakeFiles(lake.root))
    changes = _changes(made, store, step)
    plan = lease.session.plan
    return Published(
        metadata=materialization_metadata(
            made,
            record=store.put(_record(made, lease.session)),
            changes=changes,
            reporting=plan.reporting,
            declared=_declared(target, step),
        ),
        by_partition=partition_metadata(made),
        data_version=made.data_version,
        tags=session_tags(made.session),
    )


def _declared(target: Target, step: dg.OpExecutionContext) -> dg.TableSchema | None:
    if not step.has_assets_def:
        return None
    by_key = step.assets_def.metadata_by_key
    return declared_columns(by_key.get(dg.AssetKey(target.key), {}))


def _record(made: Materialization, session: Session) -> SessionRecord:
    identity, statement, target = made.identity, made.statement, made.target
    query = (
        None
        if identity is None
        else QueryRecord(
            plan_hash=identity.plan_hash,
            plan=identity.text,
            functions=identity.functions,
            variable=identity.variable,
            bound=NATIVE
            if made.why_composed is None
            else f"{AS_COMPOSED}: {made.why_composed}",
            statement=None if isinstance(statement, str) else statement,
            lineage=made.lineage,
        )
    )
    return SessionRecord(
        session=made.session,
        profile=dump_profile(session.plan.profile),
        query=query,
        inputs=made.inputs,
        written=WriteRecord(
            key=target.key,
            mode=target.mode,
            schema_mode=target.schema_mode,
            merge=target.merge,
            partitions=target.partitions,
            partition_keys=target.partition_keys,
            partition_by=target.partition_by,
            sort_by=target.layout.sort_by,
        ),
        sources=session.sources,
        not_replayable=statement if isinstance(statement, str) else "",
    )


def _changes(
    made: Materialization, store: RecordStore, step: dg.OpExecutionContext
) -> str:
    """Compare with the asset's previous materialization, whichever run it was."""
    # One query; `get_latest_materialization_event` makes four, of which each connects.
    key = dg.AssetKey(made.target.key)
    found = step.instance.fetch_materializations(key, limit=1).records
    before = found[0].asset_materialization if found else None
    if before is None:
        return FIRST
    told = before.metadata.get(SESSION_HASH)
    if told is not None and told.value == made.session.session_hash:
        return NO_CHANGES  # and the record need not be read
    if RECORD not in before.metadata:
        return "unknown: the materialization before has no record of its session"
    try:
        record = store.get(str(before.metadata[RECORD].value))
    except RecordError as error:
        return f"unknown: {error}"
    return changes_text(session_changes(record.session, made.session))


def tell(published: Published, key: dg.AssetKey, partitions: Sequence[str]) -> None:
    """Add metadata to the events that Dagster is about to make of the running step.

    Args:
        published: What to tell.
        key: The asset.
        partitions: In the order of their events.
    """
    whole, by_partition = published.metadata, published.by_partition
    if len(partitions) > PARTITIONS_TOLD_WHOLE:
        *_, last = partitions
        by_partition = {**by_partition, last: {**whole, **by_partition.get(last, {})}}
        whole = brief_metadata(whole, last)
    context = dg.AssetExecutionContext.get()
    context.add_asset_metadata(whole, key)
    for partition, metadata in by_partition.items():
        context.add_asset_metadata(metadata, key, partition)


def publish_running_asset(
    value: Any, *, run: RunSession, lease: Lease, lake: Lake | None
) -> dg.MaterializeResult[None]:
    """Write the table of the asset that is running.

    Args:
        value: Its table.
        run: The session of the run.
        lease: The session as lent to the step.
        lake: Where to; None: the run's first lake.

    Raises:
        SessionError: No lake is known, or no single asset is running.
        DfSessionError: The value could not be computed or written; nothing was.
    """
    lake, step = lake or run.tables.first_lake, current_step()
    if lake is None:
        raise SessionError(
            "there is no lake to write to: give the session resource a root_uri, or "
            "return the value and use a DataFusionDeltaIOManager"
        )
    if step is None or not step.has_assets_def or len(step.selected_asset_keys) != 1:
        raise SessionError(
            "materialize() writes the one asset that is running; in an asset of "
            "several outputs, return the values and use a DataFusionDeltaIOManager"
        )
    key = step.asset_key
    metadata = step.assets_def.metadata_by_key.get(key, {})
    check_definition(metadata, key.path)
    has_keys = step.has_partition_key or step.has_partition_key_range
    target = asset_target(
        lake,
        key.path,
        metadata,
        mode="overwrite",
        schema_mode="strict",
        partitions=step.assets_def.partitions_def,
        partition_keys=step.partition_keys if has_keys else None,
    )
    published = publish(value, target, lake, run=run, lease=lease, step=step)
    # What a result has itself, Dagster would store in two events.
    tell(published, key, step.partition_keys if has_keys else ())
    return dg.MaterializeResult(
        asset_key=key,
        data_version=dg.DataVersion(published.data_version),
        tags=published.tags,
    )
