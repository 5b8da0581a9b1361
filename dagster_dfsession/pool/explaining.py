"""What a query would read and do, and what each operator took, as text."""

import collections

from datafusion import DataFrame

from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.reading import bound
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.query.explain import analyzed_text
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.query.stream import Execution


def explanation(
    frame: DataFrame, lease: Lease, tables: RunTables, *, analyze: bool
) -> str:
    """Return the plan of a query, and that of its run over the files it needs.

    Args:
        frame: Composed over the tables of the run.
        lease: In which it was composed.
        tables: The tables of the run.
        analyze: Run it, without keeping a row, and say what each operator took.

    Raises:
        QueryError: It does not plan, or fails.
        DeltaError: A data file of a table is gone.
    """
    reading = bound(frame, lease, tables)
    execution = Execution(reading.frame, "explaining")
    title = "physical plan"
    if analyze:
        collections.deque(execution.batches, maxlen=0)
        physical = analyzed_text(execution.operators)
        title += f", {execution.elapsed_ms:,.1f} ms, {execution.rows:,} rows"
    else:
        physical = reading.frame.execution_plan().display_indent().rstrip()
    return f"optimized plan\n{Planned(frame).text}\n\n{title}\n{physical}"
