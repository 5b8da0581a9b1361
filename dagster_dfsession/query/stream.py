"""A frame as a stream of Arrow batches, with the metrics of its execution."""

import time
from collections.abc import Callable, Generator, Iterable
from typing import NamedTuple

import pyarrow as pa
from datafusion import DataFrame
from datafusion.record_batch import RecordBatch
from opentelemetry.context import get_current

from dagster_dfsession.errors import DfSessionError
from dagster_dfsession.query.metrics import (
    OperatorMetrics,
    QueryMetrics,
    files_opened,
    operator_metrics,
    query_metrics,
)
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.query.traced import begin_execution, end_execution
from dagster_dfsession.session.failures import engine_errors


class Execution:
    """One run of a frame: read `batches` to their end, then ask for `metrics`.

    `execute_stream` is used and not the frame's own Arrow stream: after the latter,
    the engine has no metrics. A run that ends early lets go of the frame: as long as
    there is one, DataFusion 55 works on, whether or not anybody reads.

    Attributes:
        schema: The columns.
        batches: Can be read once; nothing is computed before the first is asked for.
        reader: The same as an Arrow stream.
        rows: Rows handed out so far.
        failure: The error that ended the stream early, as this package's error; what
            consumes an Arrow stream in another language loses it.
    """

    def __init__(
        self,
        frame: DataFrame,
        doing: str,
        run: Callable[[DataFrame], Iterable[RecordBatch]] = DataFrame.execute_stream,
        *,
        schema: pa.Schema | None = None,
        ended: Callable[["Execution"], None] | None = None,
    ) -> None:
        """Prepare to run `frame`.

        Args:
            frame: What to run.
            doing: Begins the message of a failure.
            run: Starts it, and hands out what comes.
            schema: The columns, where they are known; None: the engine is asked.
            ended: Told when it is over, however it ended.

        Raises:
            QueryError: The query cannot be planned.
        """
        self.rows = 0
        self.failure: DfSessionError | None = None
        self._ran: DataFrame | _Ended = frame
        self._run = run
        self._ended = ended
        self._composed_in = get_current()
        self._doing = doing
        self._elapsed_ms = 0.0
        self._totals: QueryMetrics | None = None
        with engine_errors(doing):
            self.schema = Planned(frame).schema if schema is None else schema
        self.batches = self._batches(frame)
        self.reader = pa.RecordBatchReader.from_batches(self.schema, self.batches)

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds between the first batch asked for and the last handed out."""
        return self._elapsed_ms

    @property
    def metrics(self) -> QueryMetrics:
        """Totals of what was read so far."""
        ran = self._ran
        if isinstance(ran, _Ended):
            return ran.metrics
        return query_metrics(ran) if self._totals is None else self._totals

    @property
    def files(self) -> frozenset[str] | None:
        """Paths of the data files opened so far; None: too many to name."""
        ran = self._ran
        return ran.files if isinstance(ran, _Ended) else files_opened(ran)

    @property
    def operators(self) -> tuple[OperatorMetrics, ...]:
        """What each operator did so far, in the order of the physical plan."""
        ran = self._ran
        return ran.operators if isinstance(ran, _Ended) else operator_metrics(ran)

    def _batches(self, frame: DataFrame) -> Generator[pa.RecordBatch, None, None]:
        started, complete = time.perf_counter(), False
        traced = begin_execution(self._composed_in)
        try:
            with engine_errors(self._doing):
                for batch in self._run(frame):
                    arrow = batch.to_pyarrow()
                    if arrow.schema != self.schema:
                        # A plan and its batches may differ in what can be NULL.
                        columns = arrow.columns
                        arrow = pa.RecordBatch.from_arrays(columns, schema=self.schema)
                    self.rows += arrow.num_rows
                    yield arrow
            complete = True
        except DfSessionError as error:
            self.failure = error
            raise
        finally:
            self._elapsed_ms = (time.perf_counter() - started) * 1000
            if self.failure is not None and self.rows == 0:
                self._ran = _NOTHING  # perhaps it could not even be planned
            elif complete:
                self._totals = query_metrics(frame)
            else:
                self._ran = _Ended(
                    query_metrics(frame), files_opened(frame), operator_metrics(frame)
                )
            end_execution(
                traced,
                rows=self.rows,
                failure=self.failure,
                metrics=None if self._ran is _NOTHING else self.metrics,
                frame=frame,
            )
            if self._ended is not None:
                self._ended(self)
            # A traceback holds what is not deleted.
            del frame


class _Ended(NamedTuple):
    metrics: QueryMetrics
    files: frozenset[str] | None
    operators: tuple[OperatorMetrics, ...] = ()


_NOTHING = _Ended(
    QueryMetrics(
        rows_read=0,
        bytes_scanned=0,
        files_read=0,
        spilled_bytes=0,
        peak_memory_bytes=0,
    ),
    frozenset(),
)
