"""Merging a stream into a Delta table."""

from deltalake import CommitProperties, DeltaTable, WriterProperties
from deltalake.table import TableMerger

from dagster_dfsession.delta.absent import standing_keys
from dagster_dfsession.delta.arrow_types import table_schema
from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.gate import PROCESS_GATE
from dagster_dfsession.delta.inspected import InspectedStream
from dagster_dfsession.delta.merge_clauses import clauses_of, match_condition
from dagster_dfsession.delta.merge_expressions import check_expressions
from dagster_dfsession.delta.merge_source import MergeSource
from dagster_dfsession.delta.merges import Clause, Custom, Merge, reaches_absent
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.scd2 import too_early
from dagster_dfsession.delta.sides import SOURCE, TARGET
from dagster_dfsession.errors import DeltaError
from dagster_dfsession.plan.quoting import quoted_identifier


def merge_table(
    request: WriteRequest,
    merge: Merge,
    table: DeltaTable,
    inspected: InspectedStream,
    *,
    writer: WriterProperties,
    commit: CommitProperties,
) -> bool:
    """Merge a stream into a table in one commit, which `table` is at afterwards.

    The rows of the frame are held in memory by the engine while those of the table
    pass. Files without a row that changes stay as they are; where no row changes,
    there is no commit.

    Args:
        request: Where, and which rows of the table the run owns.
        merge: What to do.
        table: At its newest version.
        inspected: The rows of the frame.
        writer: For the files that are written.
        commit: For the commit.

    Returns:
        Whether there was a commit.

    Raises:
        CommitError: A key is NULL or comes twice, a version would end before it
            begins, or another writer was first.
        SchemaMismatchError: Columns or expressions do not fit.
        PartitionError: A row lies outside the predicate.
        DeltaError: The storage, or the engine, refused.
    """
    location, held = request.location, table_schema(table)
    own, standing = request.predicate, None
    if own is not None and reaches_absent(merge):
        with delta_errors(location.uri, location.secrets):
            standing = standing_keys(table, merge, own)
    rows = MergeSource(merge, inspected, request.run_start, standing)
    marked = standing is not None
    condition = match_condition(merge, rows.frame, held, own, marked=marked)
    clauses = clauses_of(merge, rows.frame, held, own, request.run_start, marked=marked)
    if isinstance(merge, Custom):
        check_expressions(merge.clauses, rows.frame, held)
    before = table.version()
    try:
        with (
            delta_errors(location.uri, location.secrets),
            PROCESS_GATE.streaming(),
        ):
            merger = table.merge(
                rows.reader(),
                condition,
                source_alias=SOURCE,
                target_alias=TARGET,
                merge_schema=request.schema_mode == "merge",
                writer_properties=writer,
                commit_properties=commit,
            )
            for clause in clauses:
                _add_clause(merger, clause)
            merger.execute()
        rows.exhaust()
    except DeltaError as error:
        if rows.failure is not None:
            raise rows.failure from None
        raise too_early(str(error), location) or error from None
    return table.version() != before


def _add_clause(merger: TableMerger, clause: Clause) -> None:
    add = getattr(merger, f"when_{clause.when}_{clause.do}")
    if clause.do == "delete":
        add(clause.condition)
        return
    updates = {quoted_identifier(k): sql for k, sql in (clause.set or {}).items()}
    add(updates, clause.condition)
