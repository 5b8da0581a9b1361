"""Materializations told of: recorded, counted, or recorded as failed."""

from typing import Any

from datafusion import DataFrame

from dagster_dfsession.materialization.hooked import materialize_hooked
from dagster_dfsession.materialization.materialize import Materialization
from dagster_dfsession.materialization.target import Target
from dagster_dfsession.pool.failing import recorded_failure
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.query.counted import count_reading
from dagster_dfsession.telemetry.measures import (
    BYTES_WRITTEN,
    COMMIT_RETRIES,
    ROWS_WRITTEN,
)
from dagster_dfsession.telemetry.payloads import MaterializationMade


def materialize_recorded(
    value: Any, target: Target, tables: RunTables, lease: Lease
) -> Materialization:
    """Write a value as `materialize_hooked` does; record what was made or why not.

    Raises:
        DfSessionError: As `materialize_hooked`.
    """
    recorder, scope = lease.session.recorder, lease.scope
    frame = isinstance(value, DataFrame)
    statement = lease.statement_of(value) if frame else None
    query = None if statement is None else statement.text
    with recorded_failure(f"materializing {target.name}", lease, query):
        made = materialize_hooked(value, target, tables, lease)
    recorder.record(_payload(made), step=scope.step, attempt=scope.attempt)
    if made.metrics is not None:
        count_reading(recorder.totals, made.metrics)
    if made.written.wrote and not made.written.already_committed:
        recorder.totals.add(ROWS_WRITTEN, made.written.rows or 0)
        recorder.totals.add(BYTES_WRITTEN, made.written.bytes)
        recorder.totals.add(COMMIT_RETRIES, made.written.retries)
    return made


def _payload(made: Materialization) -> MaterializationMade:
    target, written, read = made.target, made.written, made.metrics
    return MaterializationMade(
        asset="/".join(target.key),
        partitions=target.partition_keys,
        uri=target.location.uri,
        version=written.version,
        mode=target.mode,
        rows=written.rows,
        bytes=written.bytes,
        session_hash=made.session.session_hash,
        plan_hash=None if made.identity is None else made.identity.plan_hash,
        data_version=made.data_version,
        already_committed=written.already_committed,
        rows_read=None if read is None else read.rows_read,
        bytes_scanned=None if read is None else read.bytes_scanned,
        files_read=None if read is None else read.files_read,
        spilled_bytes=None if read is None else read.spilled_bytes,
        peak_memory_bytes=None if read is None else read.peak_memory_bytes,
        elapsed_ms=made.elapsed_ms,
    )
