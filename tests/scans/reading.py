"""A session over one lake, and the same query asked of two readers."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from datafusion import SessionConfig, SessionContext
from deltalake import DeltaTable

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.reading import Reading, bound
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.pool.tables import RunTables
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.query.stream import Execution
from dagster_dfsession.session.factory import open_session


class Reader:
    """Asks queries as a step of a run does."""

    def __init__(self, root: str, options: dict[str, str] | None = None) -> None:
        self.tables = RunTables("public")
        self.tables.add_lake(Lake(root, options))
        session = open_session(
            plan_session(SessionProfile(name="scans")), source=self.tables
        )
        self.lease = Lease(session, Scope(run_id="run", step="step"))

    def read(self, query: str) -> Reading:
        """Bind a query to the files it needs."""
        return bound(self.lease.sql(query), self.lease, self.tables)

    def rows(self, query: str) -> pa.Table:
        """Return what a bound query gives."""
        # Not by `pa.table(frame)`: that reads one partition after the other, and a join
        # whose filter waits for all of them waits for ever.
        return Execution(self.read(query).frame, query).reader.read_all()


@contextlib.contextmanager
def reader_of(root: str | Path, **options: str) -> Iterator[Reader]:
    """Open a session over a lake, and close it."""
    reader = Reader(str(root), options)
    try:
        yield reader
    finally:
        reader.lease.release()
        reader.lease.session.close()


def by_deltalake(place: str | Path, query: str, name: str = "t") -> pa.Table:
    """Answer a query over the rows that deltalake's own reader gives."""
    table = DeltaTable(str(place))
    every = pa.table(pa.RecordBatchReader.from_stream(table.scan()))
    ctx = SessionContext(SessionConfig().with_target_partitions(1))
    batches = every.to_batches() or [pa.RecordBatch.from_pylist([], every.schema)]
    ctx.register_record_batches(name, [batches])
    return pa.table(ctx.sql(query))


def unordered(table: pa.Table) -> list[str]:
    """Return rows as sorted texts, in which NaN equals itself."""
    plain: list[dict[str, Any]] = table.to_pylist()
    return sorted(map(repr, plain))
