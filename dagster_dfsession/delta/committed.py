"""What is told of a commit: how long it took, and who was in the way."""

import msgspec
from opentelemetry.trace import get_current_span

from dagster_dfsession.delta.inspected import InspectedStream
from dagster_dfsession.delta.written import WriteResult
from dagster_dfsession.telemetry.spans import start_span


def told_of(
    written: WriteResult, rows: InspectedStream, before: int | None
) -> WriteResult:
    """Return the result with its retries, and trace the commit.

    The commit is what deltalake does once it has the last row: it closes files, and
    writes the log. Outside of a span that somebody looks at, it is none.

    Args:
        written: Of a write that has just ended.
        rows: What it wrote.
        before: The version that the write set out from; None: there was no table.
    """
    between = written.version - (-1 if before is None else before) - 1
    told = msgspec.structs.replace(
        written, retries=max(between, 0) if written.wrote else 0
    )
    if get_current_span().is_recording():
        start_span(
            "dfsession.commit",
            start_ns=rows.ended_ns,
            version=told.version,
            retries=told.retries,
            rows=told.rows,
            bytes=told.bytes,
            files=told.files,
        ).end()
    return told
