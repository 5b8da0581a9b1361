"""The rows of a query as they come, read once, in the form that is asked for."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datafusion import DataFrame
from datafusion.record_batch import RecordBatch, RecordBatchStream
from typing_extensions import Self

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.modes import WriteMode
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.delta.written import WriteResult
from dagster_dfsession.errors import QueryError
from dagster_dfsession.query.event_loop import Awaited, EventLoop
from dagster_dfsession.query.metrics import QueryMetrics
from dagster_dfsession.query.plain import plain_schema
from dagster_dfsession.query.stream import Execution


class Result:
    """The rows of one run of a query; nothing is computed before they are asked for.

    They are read once, by one of the methods below. Another thread may `cancel`:
    whoever waits for the next batch gets an error at once.

    Attributes:
        schema: The columns, as the engine hands them out.

    Examples:
        >>> from datafusion import SessionContext
        >>> ctx = SessionContext()
        >>> with Result(ctx.sql("SELECT 1 AS one"), "counting") as result:
        ...     result.to_table().to_pylist()
        [{'one': 1}]
        >>> result.rows
        1
    """

    def __init__(
        self,
        frame: DataFrame,
        doing: str,
        *,
        schema: pa.Schema | None = None,
        ended: Callable[[Execution], None] | None = None,
        loop: Callable[[], EventLoop] = EventLoop,
    ) -> None:
        """Prepare to run `frame`.

        Args:
            frame: What to run.
            doing: Begins the message of a failure.
            schema: The columns, where they are known; None: the engine is asked.
            ended: Told when the run is over, however it ended.
            loop: Returns on what the engine is waited for, once the rows are read.

        Raises:
            QueryError: The query cannot be planned.
        """
        self._doing = doing
        self._batches = _Batches(frame, doing, schema, ended, loop)
        self._execution = self._batches.execution
        self._taken = False
        self.schema = self._execution.schema

    @property
    def rows(self) -> int:
        """Rows handed out so far."""
        return self._execution.rows

    @property
    def metrics(self) -> QueryMetrics:
        """What running it has cost so far."""
        return self._execution.metrics

    def cancel(self) -> None:
        """End the query and the engine's work on it, from any thread.

        Whoever asks for another batch, or waits for one, gets a `QueryError`. A frame
        that somebody else still holds keeps the engine at work.
        """
        self._batches.cancel()

    def reader(self) -> pa.RecordBatchReader:
        """Return the rows as an Arrow stream; it fails as the query does.

        Raises:
            QueryError: The rows were taken before.
        """
        if self._taken:
            raise QueryError(
                f"{self._doing}: the rows of this result were taken already, and a "
                "result is read once; run the query again, or keep what to_table() "
                "returns"
            )
        self._taken = True
        return pa.RecordBatchReader.from_batches(self.schema, self._batches)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Return the rows batch by batch.

        Raises:
            QueryError: The rows were taken before, the query failed or was cancelled.
        """
        return iter(self.reader())

    def to_table(self) -> pa.Table:
        """Return all rows in memory, with plain types.

        Raises:
            QueryError: As iterating.
        """
        return self._plain().read_all()

    def to_pandas(self) -> Any:
        """Return all rows as a pandas DataFrame.

        Raises:
            QueryError: As iterating.
        """
        return self.to_table().to_pandas()

    def to_polars(self) -> Any:
        """Return all rows as a polars DataFrame.

        Raises:
            QueryError: As iterating.
        """
        import polars as pl  # noqa: PLC0415  # an extra: only who asks for it needs it

        return pl.from_arrow(self.to_table())

    def write_parquet(self, path: str | Path) -> int:
        """Write the rows to a local Parquet file, which appears with all of them.

        Args:
            path: A file that is there already is replaced.

        Returns:
            How many rows it has.

        Raises:
            QueryError: As iterating; then there is no file, or the one from before.
        """
        reader, whole = self._plain(), Path(path)
        part = whole.with_name(f".{whole.name}.part")
        try:
            with pq.ParquetWriter(part, reader.schema, compression="zstd") as out:
                for batch in reader:
                    out.write_batch(batch)
            part.replace(whole)
        finally:
            part.unlink(missing_ok=True)
        return self.rows

    def write_delta(
        self,
        uri: str,
        *,
        mode: WriteMode = "overwrite",
        storage_options: Mapping[str, str] | None = None,
    ) -> WriteResult:
        """Write the rows to a Delta table in one commit, as assets are written.

        Args:
            uri: The table: a path, or an address such as `s3://bucket/table`.
            mode: What happens to rows that are there.
            storage_options: What opens the address.

        Raises:
            QueryError: As iterating; then nothing was committed.
            DeltaError: The write was refused; nothing was committed.
        """
        location = Lake(uri, storage_options).root
        return write_table(WriteRequest(location=location, mode=mode), self.reader())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def __repr__(self) -> str:
        return f"<Result of {self._doing}: {', '.join(self.schema.names)}>"

    def _plain(self) -> pa.RecordBatchReader:
        """Return the rows without views, which not every reader of Arrow has yet."""
        reader = self.reader()
        return reader.cast(plain_schema(reader.schema))


class _Batches:
    """The batches of a query, which is waited for outside the engine: it can end."""

    def __init__(
        self,
        frame: DataFrame,
        doing: str,
        schema: pa.Schema | None,
        ended: Callable[[Execution], None] | None,
        loop: Callable[[], EventLoop],
    ) -> None:
        self.execution = Execution(frame, doing, self._run, schema=schema, ended=ended)
        self._loop = loop
        self._doing = doing
        self._cancelled = False
        self._awaited: Awaited[RecordBatch | None] | None = None
        self._asking = threading.Lock()
        self._reading = threading.Lock()

    def cancel(self) -> None:
        """Have no batch follow those that were handed out, and the engine rest."""
        with self._asking:
            self._cancelled = True
            if self._awaited is not None:
                self._awaited.answer.cancel()
        # Whoever waits for a batch now, clears up; else nobody would.
        if self._reading.acquire(blocking=False):
            try:
                self.execution.batches.close()
            finally:
                self._reading.release()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        with self._reading:
            if self._cancelled:
                raise self._ended()
            return next(self.execution.batches)

    def _run(self, frame: DataFrame) -> Iterator[RecordBatch]:
        loop = self._loop()
        stream = frame.execute_stream()
        # Whoever keeps the error keeps what is named here: the engine's work.
        del frame
        try:
            self._ask(stream, loop)
            while (batch := self._wait()) is not None:
                # While one is read, the engine makes the next.
                self._ask(stream, loop)
                yield batch
        finally:
            awaited, self._awaited = self._awaited, None
            if awaited is not None:
                loop.end(awaited)
            del stream, awaited, loop

    def _ask(self, stream: RecordBatchStream, loop: EventLoop) -> None:
        with self._asking:
            if not self._cancelled:
                self._awaited = loop.begin(_next(stream))

    def _wait(self) -> RecordBatch | None:
        with self._asking:
            awaited = self._awaited
        with contextlib.suppress(CancelledError):
            if awaited is not None and not self._cancelled:
                return awaited.answer.result()
        del awaited
        raise self._ended()

    def _ended(self) -> QueryError:
        return QueryError(f"{self._doing}: the query was cancelled before its end")


async def _next(stream: RecordBatchStream) -> RecordBatch | None:
    return await anext(stream, None)
