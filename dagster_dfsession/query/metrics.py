"""What running a query cost, added up over the engine's operators."""

from collections.abc import Iterable, Iterator

from datafusion import DataFrame
from datafusion.plan import ExecutionPlan, MetricsSet

from dagster_dfsession.profile.base import Frozen

SCAN = "DataSourceExec"
UNCOUNTED = "DatasetExec"
MOST_FILES = 200
"""Files opened up to which they are named: each has some 45 metrics to look through."""
MEMORY = ("peak_mem_used", "build_mem_used")
DECODING = "time_elapsed_processing"
"""Nanoseconds of a scan that its elapsed compute leaves out."""
NS_PER_MS = 1_000_000


class QueryMetrics(Frozen, frozen=True):
    """Totals of one execution.

    Attributes:
        rows_read: Rows that left the scans of files, before any other operator.
        bytes_scanned: Bytes fetched from files.
        files_read: Data files opened.
        spilled_bytes: Bytes written to disk because memory ran out.
        peak_memory_bytes: What operators reported to hold at most, added up. In
            DataFusion 55 joins report it; aggregates and sorts do not.
        counted: Whether the engine counted all that was read; of an Arrow dataset, it
            counts nothing.
        spill_files: Files that were written for want of memory.
    """

    rows_read: int
    bytes_scanned: int
    files_read: int
    spilled_bytes: int
    peak_memory_bytes: int
    counted: bool = True
    spill_files: int = 0


class OperatorMetrics(Frozen, frozen=True):
    """What one operator of an execution did.

    Attributes:
        depth: Operators above it.
        operator: Its line in the physical plan.
        rows: Rows that left it.
        elapsed_ms: Milliseconds of computing, added up over its partitions.
        bytes: Bytes fetched from files.
        spilled_bytes: Bytes written to disk because memory ran out.
    """

    depth: int
    operator: str
    rows: int
    elapsed_ms: float
    bytes: int
    spilled_bytes: int


def query_metrics(frame: DataFrame) -> QueryMetrics:
    """Add up the metrics of a frame that was executed through `execute_stream`."""
    plan = frame.execution_plan()
    operators = plan.collect_metrics()
    scans = [metrics for name, metrics in operators if SCAN in name.split("(")[0]]
    every = [metrics for _, metrics in operators]
    return QueryMetrics(
        rows_read=sum(each.output_rows or 0 for each in scans),
        bytes_scanned=_total(scans, "bytes_scanned"),
        files_read=_total(scans, "files_opened"),
        # The engine's own metrics are attributes; by name, it knows the others only.
        spilled_bytes=sum(each.spilled_bytes or 0 for each in every),
        peak_memory_bytes=sum(_total(every, name) for name in MEMORY),
        counted=UNCOUNTED not in plan.display_indent(),
        spill_files=sum(each.spill_count or 0 for each in every),
    )


def files_opened(frame: DataFrame) -> frozenset[str] | None:
    """Return the paths of the data files that an executed frame opened.

    Paths are as the engine's object stores have them: without scheme and bucket, and
    without a leading slash. None: they were more than `MOST_FILES`.
    """
    operators = frame.execution_plan().collect_metrics()
    scans = [metrics for name, metrics in operators if SCAN in name.split("(")[0]]
    if _total(scans, "files_opened") > MOST_FILES:
        return None
    labels = (
        metric.labels().get("filename")
        for scan in scans
        for metric in scan.metrics()
        if metric.name == "bytes_scanned"
    )
    return frozenset(path for path in labels if path is not None)


def operator_metrics(frame: DataFrame) -> tuple[OperatorMetrics, ...]:
    """Return what each operator of an executed frame did, in the order of the plan."""
    return tuple(_operators(frame.execution_plan(), 0))


def _operators(plan: ExecutionPlan, depth: int) -> Iterator[OperatorMetrics]:
    found = plan.metrics()
    own = [] if found is None else [found]
    yield OperatorMetrics(
        depth=depth,
        operator=plan.display().strip(),
        rows=sum(each.output_rows or 0 for each in own),
        elapsed_ms=sum(map(_elapsed_ns, own)) / NS_PER_MS,
        bytes=_total(own, "bytes_scanned"),
        spilled_bytes=sum(each.spilled_bytes or 0 for each in own),
    )
    for below in plan.children():
        yield from _operators(below, depth + 1)


def _elapsed_ns(metrics: MetricsSet) -> int:
    return max(metrics.elapsed_compute or 0, metrics.sum_by_name(DECODING) or 0)


def _total(metrics: Iterable[MetricsSet], name: str) -> int:
    return sum(each.sum_by_name(name) or 0 for each in metrics)
