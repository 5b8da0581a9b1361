"""What an asset returned, as a stream whose origin is known."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
from datafusion import DataFrame
from deltalake import DeltaTable

from dagster_dfsession.errors import UnsupportedTypeError
from dagster_dfsession.materialization.determinism import (
    check_repeatable,
    pinned_frame,
    sort_keys,
)
from dagster_dfsession.materialization.records import InputRecord, StatementRecord
from dagster_dfsession.materialization.sorting import sorted_frame, sorted_reader
from dagster_dfsession.materialization.statements import recorded_statement
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.pool.asking import optimizing_errors
from dagster_dfsession.pool.changed import ChangedTable
from dagster_dfsession.pool.inputs import (
    LoadedInput,
    tables_spelt,
    whole_input,
)
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.reading import TableRead, bound
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.profile.materialization import Determinism
from dagster_dfsession.query.carried import CARRIED, carries_functions
from dagster_dfsession.query.content import content_digest
from dagster_dfsession.query.identity import (
    PlanIdentity,
    neutral,
    neutral_name,
    plan_identity,
)
from dagster_dfsession.query.lineage import Lineage, column_lineage
from dagster_dfsession.query.planned import Planned, never_optimized
from dagster_dfsession.query.stream import Execution
from dagster_dfsession.session.catalog import TableName
from dagster_dfsession.session.runtime import SessionRuntime

DATA_HASH_VERSION = 1
NO_QUERY = "its rows did not come from a query"


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """A stream of rows, and what they depend on.

    Attributes:
        reader: The rows; nothing is computed before the first batch is asked for.
        execution: The query behind them, for its metrics; None: there is none.
        identity: Which query; None: there is none.
        lineage: Where its columns come from, tables as in `inputs`; None: likewise.
        why_composed: Why it runs as it was composed, and not over scans of chosen
            files; None: it does not.
        statement: The query as it can be planned again; a text says why not.
        inputs: The Delta tables that were read.
        variable: Why the rows could differ if it ran again; empty if nothing.
        content: Equal only where the rows are equal; None: nobody can tell.
        ran_on: The engine and its version, if it is not the session's own.
    """

    reader: pa.RecordBatchReader
    execution: Execution | None = None
    identity: PlanIdentity | None = None
    lineage: Lineage | None = None
    why_composed: str | None = None
    statement: StatementRecord | str = NO_QUERY
    inputs: tuple[InputRecord, ...]
    variable: tuple[str, ...] = ()
    content: str | None
    ran_on: str | None = None


def output_of(
    value: Any,
    asset: str,
    *,
    session: SessionRuntime,
    tables: RunTables,
    lease: Lease,
    sort_by: Sequence[str] = (),
    determinism: Determinism = "best_effort",
) -> Output:
    """Return a value as a stream.

    Args:
        value: A DataFusion frame, a Delta table, or anything with an Arrow stream.
        asset: Name of the asset, for messages.
        session: What the lease's session says of itself.
        tables: The tables of the run, for the versions of the inputs.
        lease: The session that computes it.
        sort_by: Columns to sort the rows by: where they lie, and not which they are.
        determinism: What another run would have in common with this one.

    Raises:
        UnsupportedTypeError: The value is no table.
        QueryError: The query does not plan, or is to be canonical and varies.
        DeltaError: The history of an input cannot be read.
    """
    if isinstance(value, DataFrame):
        return _query(
            value,
            asset,
            session,
            tables,
            lease,
            sort_by=sort_by,
            determinism=determinism,
        )
    inputs = tuple(_inputs_of(lease.loaded.values(), {}))
    rows = _rows_in_memory(value)
    doing = f"sorting {asset}"
    if rows is None:
        reader = _arrow_stream(value, asset)
        keys = sort_keys(reader.schema.names, sort_by, determinism)
        reader = sorted_reader(reader, keys, lease.session, doing)
        return Output(
            reader=reader, inputs=inputs, variable=("a stream",), content=None
        )
    keys = sort_keys(rows.schema.names, sort_by, determinism)
    return Output(
        reader=sorted_reader(rows.to_reader(), keys, lease.session, doing),
        inputs=inputs,
        content=content_hash("rows", DATA_HASH_VERSION, content_digest(rows)),
    )


def _query(
    frame: DataFrame,
    asset: str,
    session: SessionRuntime,
    tables: RunTables,
    lease: Lease,
    *,
    sort_by: Sequence[str],
    determinism: Determinism,
) -> Output:
    scoped = {name: neutral_name(short) for name, short in lease.names.items()}
    with optimizing_errors(frame, f"planning {asset}", lease):
        planned = Planned(never_optimized(frame, lease.session.ctx))
        identity = plan_identity(planned, session, scoped=scoped)
    held = {scoped[name]: digest for name, digest in lease.digests.items()}
    reading = bound(frame, lease, tables, planned=planned)
    read: list[InputRecord] = []
    recorded, registered, unknown = {}, {}, []
    delta_tables = tables_spelt(identity.tables, lease.loaded, tables)
    for spelt in identity.tables:
        if spelt in delta_tables:
            opened = delta_tables[spelt]
            loaded = lease.loaded.get(opened.name) or whole_input(opened)
            read.extend(_inputs_of([loaded], reading.tables))
            if loaded.partition_keys != ():
                recorded[spelt] = opened
        elif spelt in held:
            registered[spelt] = held[spelt]
        else:
            unknown.append(f"table {spelt}")
    called = {spelt: ".".join(opened.key) for spelt, opened in delta_tables.items()}
    if lease.statement_of(frame) is None and carries_functions(
        frame, lease.session.ctx
    ):
        unknown.append(CARRIED)
    variable = (*identity.variable, *unknown)
    known = {
        "plan": identity.plan_hash,
        "inputs": {each.table: each.data_version for each in read},
        "registered": registered,
    }
    check_repeatable(asset, variable, determinism)
    runs = reading.frame
    if determinism == "canonical":
        runs = pinned_frame(runs, lease.session)
    keys = sort_keys(runs.schema().names, sort_by, determinism)
    execution = Execution(
        sorted_frame(runs, keys), f"computing {asset}", schema=reading.schema
    )
    return Output(
        reader=execution.reader,
        execution=execution,
        identity=identity,
        lineage=column_lineage(
            planned, lambda name: called.get(name, neutral(name, scoped))
        ),
        why_composed=reading.why_composed,
        statement=recorded_statement(
            frame, identity, recorded, session=session, lease=lease
        ),
        inputs=tuple(read),
        variable=variable,
        content=None if variable else content_hash("query", DATA_HASH_VERSION, known),
    )


def _inputs_of(
    loaded: Iterable[LoadedInput], reads: Mapping[TableName, TableRead]
) -> Iterator[InputRecord]:
    """Describe what the step was given; of an input without partitions, nothing is."""
    for each in loaded:
        if each.partition_keys != ():
            yield _input(each, reads.get(each.opened.name))


def _input(loaded: LoadedInput, read: TableRead | None) -> InputRecord:
    opened, keys = loaded.opened, loaded.partition_keys
    return InputRecord(
        table=".".join(opened.key),
        uri=opened.location.uri,
        version=opened.version,
        partitions=keys or (),
        data_version=opened.content(keys),
        files=opened.files.count,
        scan="" if read is None else str(read),
        key=opened.key,
        since=opened.since if isinstance(opened, ChangedTable) else None,
        narrowing=loaded.narrowing if loaded.given else None,
    )


def stream_of(value: Any, asset: str) -> pa.RecordBatchReader:
    """Return a table that is no query as a stream.

    Raises:
        UnsupportedTypeError: The value is no table.
    """
    rows = _rows_in_memory(value)
    return _arrow_stream(value, asset) if rows is None else rows.to_reader()


def _rows_in_memory(value: Any) -> pa.Table | None:
    """Return the rows of what has all of them already; None: it may be a stream."""
    if isinstance(value, pa.Table):
        return value
    if isinstance(value, pa.RecordBatch):
        return pa.Table.from_batches([value])
    if _is_frame_of("polars", value):
        return pa.table(value)
    if _is_frame_of("pandas", value):
        # pandas leaves an index out that happens to be a range, and names one that
        # has no name: the columns would depend on the rows.
        named = [level for level in value.index.names if level is not None]
        frame = value.reset_index(level=named) if named else value
        return pa.Table.from_pandas(frame, preserve_index=False)
    return None


def _is_frame_of(library: str, value: Any) -> bool:
    return any(
        kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] == library
        for kind in type(value).__mro__
    )


def _is_polars_lazy(value: Any) -> bool:
    return hasattr(value, "collect_batches") and hasattr(value, "collect_schema")


def _arrow_stream(value: Any, asset: str) -> pa.RecordBatchReader:
    if isinstance(value, DeltaTable):
        return pa.RecordBatchReader.from_stream(value.scan())
    if _is_polars_lazy(value):
        # polars gives a LazyFrame no Arrow stream of its own.
        schema = value.collect_schema().to_frame().to_arrow().schema
        frames = value.collect_batches()
        batches = (b for frame in frames for b in frame.to_arrow().to_batches())
        return pa.RecordBatchReader.from_batches(schema, batches)
    if not hasattr(value, "__arrow_c_stream__"):
        raise UnsupportedTypeError(
            f"{asset} returned a {type(value).__name__}, which is no table: return a "
            "datafusion DataFrame, a deltalake DeltaTable, a pyarrow Table, "
            "RecordBatch or RecordBatchReader, a polars DataFrame or LazyFrame (from "
            "polars 1.34 on), a pandas DataFrame, or anything with an Arrow stream"
        )
    return pa.RecordBatchReader.from_stream(value)
