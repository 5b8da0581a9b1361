"""A query that another engine runs, over the tables of a run at their versions."""

import importlib
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import pyarrow as pa
from datafusion import DataFrame

from dagster_dfsession.engines.columns import Columns
from dagster_dfsession.engines.parity import check_parity
from dagster_dfsession.engines.port import Engine, TableAt
from dagster_dfsession.engines.sail.dialect import check_dialect
from dagster_dfsession.engines.sail.text import path_of
from dagster_dfsession.errors import QueryError, SessionError, listing
from dagster_dfsession.pool.asking import optimizing_errors, plan_query
from dagster_dfsession.pool.changed import ChangedTable
from dagster_dfsession.pool.inputs import Narrowing, tables_spelt
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.tables import OpenedTable
from dagster_dfsession.query.identity import PlanIdentity, plan_identity
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.query.scans import SCAN
from dagster_dfsession.session.runtime import SessionRuntime

SAIL = "sail"
INSTALL = "pip install 'dagster-dfsession[sail]'"


class RemoteQuery:
    """A query that another engine runs when its rows are asked for.

    Attributes:
        frame: The same query planned here: it says what the query is, which tables it
            reads, where its columns come from, and which types they have.
        engine: What runs it.
        tables: What its names mean: each table at the version of the run.
    """

    def __init__(
        self,
        query: str,
        frame: DataFrame,
        engine: Engine,
        tables: Mapping[str, OpenedTable],
        *,
        params: Mapping[str, Any],
        lease: Lease,
    ) -> None:
        """Describe it; nothing runs yet."""
        self.frame = frame
        self.engine = engine
        self.tables = tables
        self._query = query
        self._params = params
        self._lease = lease

    @property
    def schema(self) -> pa.Schema:
        """The columns, as the session has them."""
        return Planned(self.frame).schema

    def reader(self) -> pa.RecordBatchReader:
        """Return the rows; the whole query runs once the first batch is asked for.

        With `sail.parity` of the profile, it runs over a sample right here.

        Raises:
            QueryError: In a sample, its rows are not those of this session. From the
                reader: the engine refused the query, or returned other columns.
            SessionError: Likewise: the engine cannot be reached.
        """
        sail = self._lease.session.plan.sail
        if sail.parity == "sample":
            check_parity(
                self._query,
                self.tables,
                self._params,
                here=self._lease.session,
                there=self.engine,
                rows=sail.parity_rows,
                scan=self._lease.scan,
            )
        return pa.RecordBatchReader.from_batches(self.schema, self._batches())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand out the rows as an Arrow stream."""
        stream: Any = self.reader()
        capsule: object = stream.__arrow_c_stream__(requested_schema)
        return capsule

    def __repr__(self) -> str:
        return f"<RemoteQuery over {listing(self.tables)}>"

    def _batches(self) -> Iterator[pa.RecordBatch]:
        tables = {
            name: TableAt(opened.location, opened.version)
            for name, opened in self.tables.items()
        }
        rows = self.engine.execute(self._query, tables, self._params)
        columns = Columns(self.schema, self.engine.name)
        columns.check(rows.schema)
        yield from map(columns.of, rows)


def plan_remote(
    query: str,
    run: RunSession,
    lease: Lease,
    *,
    params: Mapping[str, Any] | None,
) -> RemoteQuery:
    """Plan a query for Sail, and refuse what that would silently read otherwise.

    Args:
        query: Spark's SQL, of which this session makes the same.
        run: The run, whose tables and server it is.
        lease: Of the step.
        params: Values by name, for `$name`.

    Raises:
        QueryError: It does not plan here, reads what Sail cannot, or the two engines
            would answer it differently.
        SessionError: The extra `sail` is not installed.
    """
    frame = plan_query(query, run, lease, params=params, tables={})
    planned = Planned(frame)
    with optimizing_errors(frame, "planning", lease):
        identity = identity_elsewhere(query, planned, lease.session.snapshot())
    spelt = {*identity.tables, *SCAN.findall(planned.composed)}
    opened = tables_spelt(spelt, lease.loaded, run.tables)
    if unknown := spelt - opened.keys():
        raise QueryError(
            f"the query reads {listing(unknown)}, and Sail can read Delta tables "
            "alone; materialize it as an asset first"
        )
    for name, table in opened.items():
        _check_table(name, table, lease)
    plan, spill_dir = lease.session.plan, lease.session.spill_dir
    engine = run.lasting(SAIL, lambda: _adapter().SailEngine(plan.sail, spill_dir))
    return RemoteQuery(
        query,
        frame,
        engine,
        {run.tables.spelling(each.name): each for each in opened.values()},
        params=params or {},
        lease=lease,
    )


def identity_elsewhere(
    query: str, planned: Planned, runtime: SessionRuntime
) -> PlanIdentity:
    """Return what a query is, unless Sail would silently read it otherwise.

    Args:
        query: Its text.
        planned: The same, planned here.
        runtime: The session it was planned in.

    Raises:
        QueryError: It calls functions of Python, or the two engines would answer it
            differently; under `engine_errors` of the caller, it does not optimize.
    """
    identity = plan_identity(planned, runtime, scoped={})
    if identity.functions:
        error = QueryError(
            f"the query calls {listing(identity.functions)}, which Sail does not have: "
            "functions of Python run in this process alone. Compute that column in an "
            "asset of its own, upstream, that runs on datafusion"
        )
        error.kind = "dialect"
        raise error
    check_dialect(query, planned, runtime.settings)
    return identity


def _check_table(name: str, table: OpenedTable, lease: Lease) -> None:
    """Refuse a table of which Sail reads nothing, or another part than the step."""
    loaded = lease.loaded.get(table.name)
    if isinstance(table, ChangedTable) or (
        loaded is not None
        and (loaded.narrowing != Narrowing() or loaded.partition_keys is not None)
    ):
        raise QueryError(
            f"the step is given a part of {name!r}, and Sail reads whole tables; say "
            "what it reads in the WHERE of the query"
        )
    if table.files.reader_feature is not None:
        raise QueryError(
            f"{name!r} has the feature {table.files.reader_feature} of Delta Lake, "
            "which Sail may not know; run the query on datafusion"
        )
    path_of(table.location)


def _adapter() -> ModuleType:
    try:
        return importlib.import_module("dagster_dfsession.engines.sail.engine")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("dagster_dfsession"):
            raise
        raise SessionError(
            f"engine 'sail' needs the package {error.name}, which is not installed; "
            f"run: {INSTALL}"
        ) from None
