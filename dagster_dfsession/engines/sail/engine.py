"""Whole queries in Sail: begun again in a fresh session where the server was lost."""

import contextlib
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import adbc_driver_manager
import pyarrow as pa
from adbc_driver_flightsql import dbapi
from typing_extensions import Self

from dagster_dfsession.delta.failures import scrubbed
from dagster_dfsession.engines.port import TableAt
from dagster_dfsession.engines.sail.server import (
    PrivateServer,
    environment_of,
    secrets_of,
)
from dagster_dfsession.engines.sail.text import spark_text, view_text
from dagster_dfsession.errors import EngineVersionError, QueryError, SessionError
from dagster_dfsession.profile.sail import SailProfile
from dagster_dfsession.query.spool import spooled

_LOST = re.compile(
    r"unavailable|connection refused|connection reset|broken pipe|transport error"
    r"|error reading (?:a body )?from|h2 protocol error|lost worker|\bEOF\b",
    re.IGNORECASE,
)
_LONGEST_WAIT_S = 30
_VERSION = "SELECT version() AS version"
PACKAGE = "pysail"
Options: TypeAlias = tuple[tuple[str, str], ...]


class SailEngine:
    """Sail, on a server of its own or at an address.

    Attributes:
        name: As `sail 0.7.2`.
        servers: Of this run.
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
        self._servers: dict[Options, PrivateServer] = {}
        self._told: str | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """With the version; a server at an address is asked for its own, once.

        Raises:
            SessionError: There is no server at the address, or it is not Sail of the
                version that this package knows.
        """
        if self._profile.address is None:
            return f"sail {version(PACKAGE)}"
        if self._told is None:
            self.execute(_VERSION, {}, {}).read_all()
        return f"sail {self._told}"

    @property
    def servers(self) -> tuple[PrivateServer, ...]:
        """The servers of this run, once they were needed: one for each set of options.

        A server has one environment, so what opens one lake is not given to another.
        """
        return tuple(self._servers.values())

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
                "sail reads SQL alone, and was given a plan as bytes; pass the "
                "text of the query"
            )
        rows = self._rows(query, tables, params)
        schema: pa.Schema = next(rows)
        return pa.RecordBatchReader.from_batches(schema, rows)

    def close(self) -> None:
        """End the servers of this run."""
        while self._servers:
            self._servers.popitem()[1].stop()

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
                except EngineVersionError:
                    raise
                except SessionError:
                    if attempt == self._profile.retries:
                        raise
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
            EngineVersionError: The server is another than this package knows.
            QueryError: Sail refused the query.
            SessionError: Server or worker were lost.
        """
        options = _options(tables)
        views = {table: f"dfs_{uuid.uuid4().hex}" for table in tables}
        text = spark_text(query, views, params)
        away = self._profile.address
        server = self._server(options) if away is None else None
        with contextlib.ExitStack() as held:
            with self._failures(options, server):
                address = server.address if server is not None else str(away)
                connection = held.enter_context(dbapi.connect(address, autocommit=True))
                cursor = held.enter_context(connection.cursor())
                if server is None:
                    self._meet(cursor)
                for table, view in views.items():
                    _run(cursor, view_text(view, tables[table]))
                cursor.execute(text)
                reader = cursor.fetch_record_batch()
                path = held.enter_context(spooled(reader, self._spill_dir))
                for view in views.values():
                    _run(cursor, f"DROP VIEW `{view}`")
            yield path

    def _server(self, options: Mapping[str, str]) -> PrivateServer:
        key = _key(options)
        with self._lock:
            if key not in self._servers:
                self._servers[key] = PrivateServer(self._profile, options)
            return self._servers[key]

    def _give_up(self, options: Mapping[str, str], server: PrivateServer) -> None:
        """End a server: a session that lost a worker fails whatever comes next."""
        with self._lock:
            if self._servers.get(_key(options)) is server:
                del self._servers[_key(options)]
        server.stop()

    def _meet(self, cursor: Any) -> None:
        """Note which version the server at the address is.

        Raises:
            EngineVersionError: One that this package does not know, or another than it
                was when the run began.
        """
        told = _version_told(cursor)
        known, where = version(PACKAGE), f"the server at {self._profile.address}"
        if _series(told) != _series(known):
            raise EngineVersionError(
                f"{where} says that it is {told}, and this package knows how Sail "
                f"{_series(known)} reads SQL; keep a server of that version there, or "
                "leave sail.address out"
            )
        if self._told not in (None, told):
            raise EngineVersionError(
                f"{where} was Sail {self._told} when the query was planned, and is "
                f"{told} now; run again"
            )
        self._told = told

    @contextlib.contextmanager
    def _failures(
        self, options: Mapping[str, str], server: PrivateServer | None
    ) -> Iterator[None]:
        try:
            yield
        except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
            said = scrubbed(" ".join(str(error).split()), secrets_of(options))
            known = self._told if server is None else version(PACKAGE)
            sail = "sail" if known is None else f"sail {known}"
            if _LOST.search(said) or (server is not None and not server.running):
                if server is not None:
                    self._give_up(options, server)
                where = self._profile.address or "the server of this run"
                raise SessionError(
                    f"{sail} was lost at {where}, and with it the query: {said}. "
                    f"Attempts in all: {self._profile.retries + 1}. See that the "
                    "server is up and its workers have the memory they need, or set "
                    "sail.retries in the profile"
                ) from None
            raise QueryError(f"{sail} refused the query: {said}") from None


def _key(options: Mapping[str, str]) -> Options:
    return tuple(sorted(options.items()))


def _version_told(cursor: Any) -> str:
    """Return what a server says it is, which may be no Sail at all."""
    try:
        return str(_run(cursor, _VERSION)[0][0])
    except adbc_driver_manager.Error as error:
        if _LOST.search(str(error)):
            raise
        return f"something without a version ({' '.join(str(error).split())})"


def _series(told: str) -> str:
    """Return `0.7` of `0.7.2`."""
    return ".".join(told.split(".")[:2])


def _run(cursor: Any, statement: str) -> list[tuple[Any, ...]]:
    cursor.execute(statement)
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


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
