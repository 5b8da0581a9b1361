"""The session's own engine, behind the port."""

from collections.abc import Mapping
from typing import Any

import datafusion
import pyarrow as pa
from datafusion import DataFrame
from datafusion.catalog import Table
from datafusion.plan import LogicalPlan

from dagster_dfsession.delta.location import open_table
from dagster_dfsession.delta.provider import provider_of
from dagster_dfsession.delta.stores import register_store
from dagster_dfsession.engines.port import TableAt
from dagster_dfsession.errors import DeltaError
from dagster_dfsession.query.stream import Execution
from dagster_dfsession.session.catalog import TableName
from dagster_dfsession.session.failures import engine_errors
from dagster_dfsession.session.session import Session


class LocalEngine:
    """DataFusion, in this process.

    It reads plans too: one that another process compiled runs here over the same files.

    Examples:
        >>> from dagster_dfsession import SessionProfile, open_session, plan_session
        >>> session = open_session(plan_session(SessionProfile(name="here")))
        >>> engine = LocalEngine(session)
        >>> engine.execute("SELECT 1 + $n AS two", {}, {"n": 1}).read_all().to_pylist()
        [{'two': 2}]
    """

    def __init__(self, session: Session) -> None:
        """Run queries in a session."""
        self._session = session

    @property
    def name(self) -> str:
        """With the version."""
        return f"datafusion {datafusion.__version__}"

    def execute(
        self,
        query: str | bytes,
        tables: Mapping[str, TableAt],
        params: Mapping[str, Any],
    ) -> pa.RecordBatchReader:
        """Run a query as `Engine.execute` says; rows come as they are asked for.

        Raises:
            QueryError: It does not plan; from the reader: it failed.
            DeltaError: A table, or its version, is not there.
        """
        frame = (
            self._plan(query, tables)
            if isinstance(query, bytes)
            else self._session.planned(
                query,
                params=params,
                bound={self._named(name): _opened(at) for name, at in tables.items()},
            )
        )
        return Execution(frame, f"running a query on {self.name}").reader

    def _plan(self, plan: bytes, tables: Mapping[str, TableAt]) -> DataFrame:
        ctx = self._session.ctx
        for at in tables.values():
            register_store(ctx, at.location)
        with engine_errors("reading a plan"):
            return ctx.create_dataframe_from_logical_plan(
                LogicalPlan.from_bytes(ctx, plan)
            )

    def _named(self, name: str) -> TableName:
        home = self._session.plan.catalog.default_schema
        *_, schema, table = [home, *name.split(".")]
        return (schema, table)


def _opened(at: TableAt) -> Table:
    delta = open_table(at.location, at.version)
    if delta is None:
        raise DeltaError(
            f"{at.location}: there is no table, and version {at.version} of it is "
            "asked for; materialize it first"
        )
    return Table(provider_of(delta, at.location))
