"""Rows of the table that a frame lacks, in a merge of some partitions.

delta-rs has a clause for them, but then it reads every partition, and takes a write to
any of them meanwhile for a conflict. So the keys that are absent are added to the frame
as rows of their own, which match like any other.
"""

from collections.abc import Iterable, Iterator

import msgspec
import pyarrow as pa
from deltalake import DeltaTable

from dagster_dfsession.delta.arrow_types import table_schema
from dagster_dfsession.delta.keys import Keys
from dagster_dfsession.delta.merges import Clause, Merge
from dagster_dfsession.delta.predicate import Predicate, to_sql
from dagster_dfsession.delta.sides import source
from dagster_dfsession.errors import CommitError

ABSENT = "__dfsession_absent"
"""Column of the rows of a merge: whether the row stands for a key without one."""


def standing_keys(table: DeltaTable, merge: Merge, own: Predicate) -> pa.Table:
    """Return the keys of the rows of the table that the run owns.

    Raises:
        CommitError: A key is NULL: no row of a frame could match it.
    """
    held = table_schema(table)
    rows = table.scan(columns=list(merge.on), predicate=to_sql(own, held))
    schema = pa.schema([held.field(name) for name in merge.on])
    keys = pa.table(pa.RecordBatchReader.from_stream(rows)).cast(schema)
    for name in merge.on:
        if nulls := keys.column(name).null_count:
            raise CommitError(
                f"{nulls} rows of the table are NULL in {name!r}, a key of the merge, "
                "in the partitions of this run, and nothing was written: the merge "
                "could not tell whether the frame lacks them. Delete them, or give "
                "them a key."
            )
    return keys


def with_absent(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    keys: Keys,
    standing: pa.Table,
) -> Iterator[pa.RecordBatch]:
    """Yield the batches, marked as present, then the keys that were in none of them."""
    for batch in batches:
        present = pa.repeat(pa.scalar(value=False), batch.num_rows)
        yield pa.RecordBatch.from_arrays([*batch.columns, present], schema=schema)
    for batch in keys.missing(standing).to_batches():
        count = batch.num_rows
        known = {name: batch.column(name) for name in batch.schema.names}
        known[ABSENT] = pa.repeat(pa.scalar(value=True), count)
        columns = [known.get(f.name, pa.nulls(count, f.type)) for f in schema]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def by_presence(clauses: Iterable[Clause]) -> Iterator[Clause]:
    """Yield the same clauses for rows that are marked."""
    for clause in clauses:
        absent = clause.when == "not_matched_by_source"
        mark = source(ABSENT) if absent else f"NOT {source(ABSENT)}"
        also = "" if clause.condition is None else f" AND ({clause.condition})"
        yield msgspec.structs.replace(
            clause,
            when="matched" if absent else clause.when,
            condition=mark + also,
        )
