"""How a recorded materialization was run, and how its query runs now."""

from collections.abc import Sequence

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import RecordError
from dagster_dfsession.materialization.records import STATEMENT_UNKNOWN
from dagster_dfsession.pool.explaining import explanation
from dagster_dfsession.replay.materialized import Materialized, read_record
from dagster_dfsession.replay.reopened import explaining_gone_files, reopened


def explain_recorded(
    made: Materialized, lakes: Sequence[Lake], *, analyze: bool
) -> str:
    """Return the recorded plan of a materialization as text.

    Args:
        made: From Dagster's event log.
        lakes: In which the table, its record and its inputs are.
        analyze: Run the query again, in the recorded session and over the recorded
            versions, without keeping a row; say what each operator took.

    Raises:
        RecordError: There is no record, its rows came from no query, or the query
            cannot be run again.
        DeltaError: A recorded version, or a data file of it, is gone.
        DfSessionError: The session cannot be had any more, or the query fails.
    """
    record = read_record(made, lakes)
    query = record.query
    if query is None:
        raise RecordError(
            f"{made} has no plan: its rows did not come from a query; explain an asset "
            "that returns SQL or a DataFrame"
        )
    if not analyze:
        return f"recorded plan of {made}\n{query.plan}"
    if query.statement is None:
        why = record.not_replayable or STATEMENT_UNKNOWN
        raise RecordError(f"{made} cannot be run again to analyze it: {why}")
    with (
        reopened(record, query.statement, lakes) as again,
        explaining_gone_files(again.inputs),
    ):
        return explanation(again.frame, again.lease, again.tables, analyze=True)
