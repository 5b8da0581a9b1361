"""Whole queries in Sail: begun again in a fresh session where the server was lost."""

import contextlib
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import adbc_driver_manager
import pyarrow as pa
from adbc_driver_flightsql import dbapi
from typing_extensions import Self

from dagster_dfsession.delta.failures import scrubbed
from dagster_dfsession.engines.port import TableAt
from dagster_dfsession.engines.sail.server import PrivateServer, environment_of
from dagster_dfsession.engines.sail.text import spark_text
from dagster_dfsession.errors import QueryError, SessionError
from dagster_dfsession.profile.sail import SailProfile
from dagster_dfsession.query.spool import spooled

_LOST = re.compile(
    r"unavailable|connection refused|connection reset|broken pipe|transport error"
    r"|error reading (?:a body )?from|h2 protocol error|lost worker|\bEOF\b",
    re.IGNORECASE,
)
_LONGEST_WAIT_S = 30


class SailEngine:
    """Sail, on a server of its own or at an address.

    Attributes:
        name: As `sail 0.7.2`.
    """

    def __init__(self, profile: SailProfile, spill_dir: str | None = None) -> None:
        """Start nothing yet.

        Args:
            profile: Where it is, and how large.
            spill_dir: Where rows are set aside until all are there. None: the
                system's directory for such.
        """
        self._profile = profile
        self._spill_dir = spill_dir
        self._server: PrivateServer | None = None

    @property
    def name(self) -> str:
        """With the version; a server at an address is not asked for its own."""
        return f"sail {version('pysail')}"

    @property
    def server(self) -> PrivateServer | None:
        """The server of this run, once it was needed."""
        return self._server

    def execute(
        self,
        query: str | bytes,
        tables: Mapping[str, TableAt],
        params: Mapping[str, Any],
    ) -> pa.RecordBatchReader:
        """Run a query as `Engine.execute` says.

        The rows are set aside on disk until all of them are there: a worker that is
        lost fails the whole query, and nobody may have seen a part of it.

        Raises:
            QueryError: It is a plan, for which Sail has no door; or Sail refused it.
            SessionError: No server, however often it was tried.
        """
        if isinstance(query, bytes):
            raise QueryError(
                f"{self.name} reads SQL alone, and was given a plan as bytes; pass the "
                "text of the query"
            )
        rows = self._rows(query, tables, params)
        schema: pa.Schema = next(rows)
        return pa.RecordBatchReader.from_batches(schema, rows)

    def close(self) -> None:
        """End the server of this run, if there is one."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows(
        self, query: str, tables: Mapping[str, TableAt], params: Mapping[str, Any]
    ) -> Iterator[Any]:
        with contextlib.ExitStack() as held:
            for attempt in range(self._profile.retries + 1):
                try:
                    path = held.enter_context(self._answered(query, tables, params))
                    break
                except SessionError:
                    if attempt == self._profile.retries:
                        raise
                    self.close()
                    if self._profile.address is not None:
                        time.sleep(min(2**attempt, _LONGEST_WAIT_S))
            with pa.OSFile(str(path), "rb") as file, pa.ipc.open_stream(file) as rows:
                yield rows.schema
                yield from rows

    @contextlib.contextmanager
    def _answered(
        self, query: str, tables: Mapping[str, TableAt], params: Mapping[str, Any]
    ) -> Iterator[Path]:
        """Hand out the file of all rows of a query.

        Raises:
            QueryError: Sail refused the query.
            SessionError: Server or worker were lost.
        """
        options = _options(tables)
        views = {table: f"dfs_{uuid.uuid4().hex}" for table in tables}
        text = spark_text(query, views, params)
        with contextlib.ExitStack() as held:
            with self._failures(options):
                address = self._address(options)
                connection = held.enter_context(dbapi.connect(address, autocommit=True))
                cursor = held.enter_context(connection.cursor())
                for table, view in views.items():
                    _run(cursor, _view(view, tables[table]))
                cursor.execute(text)
                reader = cursor.fetch_record_batch()
                path = held.enter_context(spooled(reader, self._spill_dir))
                for view in views.values():
                    _run(cursor, f"DROP VIEW `{view}`")
            yield path

    def _address(self, options: Mapping[str, str]) -> str:
        if self._profile.address is not None:
            return self._profile.address
        if self._server is None:
            self._server = PrivateServer(self._profile, options)
        return self._server.address

    @contextlib.contextmanager
    def _failures(self, options: Mapping[str, str]) -> Iterator[None]:
        try:
            yield
        except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
            said = scrubbed(" ".join(str(error).split()), tuple(options.values()))
            server = self._server
            if _LOST.search(said) or (server is not None and not server.running):
                where = self._profile.address or "the server of this run"
                raise SessionError(
                    f"{self.name} was lost at {where}, and with it the query: {said}. "
                    f"Attempts in all: {self._profile.retries + 1}. See that the "
                    "server is up and its workers have the memory they need, or set "
                    "sail.retries in the profile"
                ) from None
            raise QueryError(f"{self.name} refused the query: {said}") from None


def _view(view: str, table: TableAt) -> str:
    path = table.location.uri.replace("\\", "\\\\").replace("'", "\\'")
    return (
        f"CREATE TEMPORARY VIEW `{view}` USING delta "
        f"OPTIONS (path '{path}', versionAsOf '{table.version}')"
    )


def _run(cursor: Any, statement: str) -> None:
    cursor.execute(statement)
    cursor.fetchall()


def _options(tables: Mapping[str, TableAt]) -> dict[str, str]:
    """Return the storage options of all tables: a server has one environment."""
    options: dict[str, str] = {}
    for table in tables.values():
        for key, value in environment_of(table.location).items():
            if options.setdefault(key, value) != value:
                raise QueryError(
                    f"the tables of the query have two values of the storage option "
                    f"{key!r}, and Sail takes one from its environment; copy the "
                    "tables of one lake into the other first"
                )
    return options
