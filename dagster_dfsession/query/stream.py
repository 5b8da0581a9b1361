"""A frame as a stream of Arrow batches, with the metrics of its execution."""

import time
from collections.abc import Iterator

import pyarrow as pa
from datafusion import DataFrame, SessionContext

from dagster_dfsession.errors import DfSessionError
from dagster_dfsession.query.metrics import QueryMetrics, files_opened, query_metrics
from dagster_dfsession.session.failures import engine_errors


class Execution:
    """One run of a frame: read `reader` to its end, then ask for `metrics`.

    `execute_stream` is used and not the frame's own Arrow stream: after the latter,
    the engine has no metrics.

    Attributes:
        reader: The batches; nothing is computed before the first is asked for.
        rows: Rows handed out so far.
        failure: The error that ended the stream early, as this package's error; what
            consumes an Arrow stream in another language loses it.
    """

    def __init__(self, frame: DataFrame, doing: str) -> None:
        """Prepare to run `frame`; `doing` begins the message of a failure.

        Raises:
            QueryError: The query cannot be planned.
        """
        self.rows = 0
        self.failure: DfSessionError | None = None
        self._frame = frame
        self._doing = doing
        self._elapsed_ms = 0.0
        with engine_errors(doing):
            schema = result_schema(frame)
        self.reader = pa.RecordBatchReader.from_batches(schema, self._batches())

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds between the first batch asked for and the last handed out."""
        return self._elapsed_ms

    @property
    def metrics(self) -> QueryMetrics:
        """Totals of what was read so far."""
        return query_metrics(self._frame)

    @property
    def files(self) -> frozenset[str] | None:
        """Paths of the data files opened so far; None: too many to name."""
        return files_opened(self._frame)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        started = time.perf_counter()
        try:
            with engine_errors(self._doing):
                for batch in self._frame.execute_stream():
                    arrow = batch.to_pyarrow()
                    self.rows += arrow.num_rows
                    yield arrow
        except DfSessionError as error:
            self.failure = error
            raise
        finally:
            self._elapsed_ms = (time.perf_counter() - started) * 1000


def result_schema(frame: DataFrame) -> pa.Schema:
    """Return the columns as the engine will hand them out.

    A frame's own schema is that of the query as written: `SELECT NULL UNION ALL SELECT
    1` has no type there, and only the analyzer finds it.
    """
    planned = frame.optimized_logical_plan()
    return SessionContext().create_dataframe_from_logical_plan(planned).schema()
