"""What a query reads when it runs: chosen files, by scans of the engine's own.

The names of a query stand for tables at the run's versions. Here they are bound, for
one execution, to scans of the files that can hold the rows it wants.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from datafusion import DataFrame
from datafusion.expr import Explain

from dagster_dfsession.delta.data_files import DataFiles
from dagster_dfsession.delta.native import FILE_NAME, FileChoice, names_files_late
from dagster_dfsession.delta.pruning import may_match
from dagster_dfsession.errors import EngineVersionError
from dagster_dfsession.pool.inputs import tables_spelt
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.tables import OpenedTable, RunTables
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.query.rebinding import rebound_frame, rebound_statement
from dagster_dfsession.query.scans import (
    DECIDES,
    Wanted,
    variant_of,
    wanted_of_tables,
)
from dagster_dfsession.session.catalog import TableName

NATIVE = "native scan"
PROVIDER = "engine provider"
PROVIDER_IS_CHEAPER = "it costs less for this query"
NO_FILE_NEEDED = "the log has all that is asked of its partitions"


class TableRead(msgspec.Struct, frozen=True):
    """How a query reads one table.

    Attributes:
        how: `native scan`, or `engine provider`: deltalake's own reader.
        why: Why it is not the native scan; None: it is.
        files: Data files that the scan was given; the provider takes them all.
        total: Data files of the table.
    """

    how: str
    why: str | None
    files: int
    total: int

    def __str__(self) -> str:
        return self.how if self.why is None else f"{self.how}: {self.why}"


class Reading(msgspec.Struct, frozen=True):
    """A query, ready to run.

    Attributes:
        frame: What to execute.
        schema: The columns of its rows.
        tables: How it reads each of its tables.
        why_composed: Why the query runs as it was composed; None: it does not.
    """

    frame: DataFrame
    schema: pa.Schema
    tables: Mapping[TableName, TableRead]
    why_composed: str | None


def bound(
    frame: DataFrame,
    lease: Lease,
    tables: RunTables,
    *,
    planned: Planned | None = None,
) -> Reading:
    """Bind a query to the files that it needs.

    Its rows are the same whether or not that succeeds; what could not be done is said
    in the result.

    Args:
        frame: Composed over the tables of the run.
        lease: In which it was composed.
        tables: The tables of the run.
        planned: The same plan, where it has been optimized already.

    Raises:
        DeltaError: A data file of a table is gone.
    """
    composed = planned or Planned(frame)
    wanted = wanted_of_tables(composed.optimized)
    named = [
        (opened, wanted[spelt])
        for spelt, opened in tables_spelt(wanted, lease.loaded, tables).items()
    ]
    for by_name in (True, False):
        reads, scans = _reads(composed, lease, named, by_name=by_name)
        again = _again(frame, composed, lease, named, scans)
        if isinstance(again, str):
            return _as_composed(frame, composed.schema, reads, again)
        # To optimize a plan for nothing would take as long as all the rest of this.
        asks = FILE_NAME in again.composed
        if not (asks and names_files_late(again.frame, again.text)):
            return Reading(again.frame, composed.schema, reads, why_composed=None)
    late = "its plan asks for names of files too late"
    return _as_composed(frame, composed.schema, reads, late)


def explained(frame: DataFrame, lease: Lease, tables: RunTables) -> DataFrame:
    """Return an `EXPLAIN` of what will run, where the frame is one; others as they are.

    Raises:
        DeltaError: As `bound`.
    """
    is_explain = isinstance(variant_of(frame.logical_plan()), Explain)
    return bound(frame, lease, tables).frame if is_explain else frame


def _as_composed(
    frame: DataFrame, schema: pa.Schema, reads: Mapping[TableName, TableRead], why: str
) -> Reading:
    by_provider = {
        name: TableRead(PROVIDER, read.why or why, read.total, read.total)
        for name, read in reads.items()
    }
    return Reading(frame, schema, by_provider, why_composed=why)


def _reads(
    composed: Planned,
    lease: Lease,
    named: Collection[tuple[OpenedTable, Wanted]],
    *,
    by_name: bool,
) -> tuple[dict[TableName, TableRead], dict[TableName, DataFrame]]:
    decides = DECIDES.search(composed.text) is not None
    reads, scans = {}, {}
    for opened, wanted in named:
        floats = _floats(opened.table.schema, wanted) if decides else frozenset()
        read, scan = _read(opened, wanted, lease, floats, by_name=by_name)
        reads[opened.name] = read
        if scan is not None:
            scans[opened.name] = scan
    return reads, scans


def _again(
    frame: DataFrame,
    composed: Planned,
    lease: Lease,
    named: Collection[tuple[OpenedTable, Wanted]],
    scans: Mapping[TableName, DataFrame],
) -> Planned | str:
    if not scans:
        return "no table of it has a native scan"
    session = lease.session
    floats = any(
        _floats(opened.table.schema, wanted)
        for opened, wanted in named
        if opened.name in scans
    )
    ctx = session.without_statistics() if floats else None
    statement = lease.statement_of(frame)
    if statement is not None:
        over = {name: lease.narrowed(name, scan) for name, scan in scans.items()}
        return rebound_statement(session, statement, over, composed, ctx=ctx)
    own = {opened.name: opened.table for opened, _ in named}
    over = own | {name: scan.into_view() for name, scan in scans.items()}
    return rebound_frame(session, own, over, composed, ctx=ctx)


def _read(
    opened: OpenedTable,
    wanted: Wanted,
    lease: Lease,
    floats: frozenset[str],
    *,
    by_name: bool,
) -> tuple[TableRead, DataFrame | None]:
    """Choose the files, and return their scan; None: the provider has to read them."""
    files = opened.files
    scan, chosen = None, files.count
    why = opened.why_not_native(wanted.uses)
    if why is None and _is_in_log(wanted, files):
        why = NO_FILE_NEEDED
    if why is None:
        chosen_files: Any = pc.indices_nonzero(may_match(wanted.condition, files))
        used = frozenset(filter(wanted.uses, files.partition_columns))
        choice = FileChoice(
            indices=tuple(chosen_files.to_pylist()),
            used=used,
            filtered=frozenset(filter(wanted.filters_by, used)),
            guarded=floats,
        )
        try:
            scan = lease.scans(opened).frame(choice, by_name=by_name)
        except EngineVersionError as error:
            why = str(error)
        else:
            chosen = len(choice.indices)
            why = None if scan is not None else PROVIDER_IS_CHEAPER
    if scan is None:
        return TableRead(PROVIDER, why, files.count, files.count), None
    return TableRead(NATIVE, None, chosen, files.count), scan


def _is_in_log(wanted: Wanted, files: DataFiles) -> bool:
    """Whether a query uses partition columns alone, of a table that has some."""
    divided = frozenset(files.partition_columns)
    return (
        bool(divided)
        and wanted.columns is not None
        and wanted.columns <= divided
        and not wanted.pushed
    )


def _floats(schema: pa.Schema, wanted: Wanted) -> frozenset[str]:
    """Return the columns of floats that a query uses."""
    return frozenset(
        field.name
        for field in schema
        if wanted.uses(field.name) and pa.types.is_floating(field.type)
    )
