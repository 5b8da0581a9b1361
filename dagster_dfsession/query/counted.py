"""What a query read, for the metrics."""

from dagster_dfsession.query.metrics import QueryMetrics
from dagster_dfsession.telemetry.measures import (
    BYTES_SCANNED,
    BYTES_SPILLED,
    ROWS_READ,
    Totals,
)


def count_reading(totals: Totals, metrics: QueryMetrics) -> None:
    """Add what running a query cost to the totals of a session."""
    totals.add(ROWS_READ, metrics.rows_read)
    totals.add(BYTES_SCANNED, metrics.bytes_scanned)
    totals.add(BYTES_SPILLED, metrics.spilled_bytes)
