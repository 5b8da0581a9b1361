"""What is counted: once for the user's metrics, once for the session's own tables."""

import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

import msgspec
from opentelemetry import metrics


class Measure(msgspec.Struct, frozen=True):
    """One thing that is counted.

    Attributes:
        kind: `counter` only grows, a `level` goes up and down, a `histogram` keeps
            how often which amount came.
        unit: As UCUM writes it: `By` are bytes, `s` seconds, `{row}` rows.
    """

    name: str
    kind: Literal["counter", "level", "histogram"]
    unit: str
    description: str


SESSIONS_OPEN = Measure(
    "dfsession.sessions.open", "level", "{session}", "Sessions that are open."
)
POOL_WAIT = Measure(
    "dfsession.pool.wait", "histogram", "s", "Waits for a session of a pool."
)
QUERIES = Measure("dfsession.queries", "counter", "{query}", "Queries planned.")
ROWS_READ = Measure(
    "dfsession.rows.read", "counter", "{row}", "Rows that left the scans of files."
)
ROWS_WRITTEN = Measure("dfsession.rows.written", "counter", "{row}", "Rows committed.")
BYTES_SCANNED = Measure(
    "dfsession.bytes.scanned", "counter", "By", "Bytes fetched from files."
)
BYTES_WRITTEN = Measure(
    "dfsession.bytes.written", "counter", "By", "Bytes of the files committed."
)
BYTES_SPILLED = Measure(
    "dfsession.bytes.spilled",
    "counter",
    "By",
    "Bytes written to disk because memory ran out.",
)
COMMIT_RETRIES = Measure(
    "dfsession.commit.retries",
    "counter",
    "{commit}",
    "Commits of others that came between, above which a commit was tried again.",
)
CACHE_HITS = Measure(
    "dfsession.cache.hits", "counter", "{hit}", "What a cache had: sessions, tables."
)
CACHE_MISSES = Measure(
    "dfsession.cache.misses", "counter", "{miss}", "What had to be made or opened."
)
DROPPED = Measure(
    "dfsession.diagnostics.dropped",
    "counter",
    "{entry}",
    "Entries that a sink did not take, because it was slow or failed.",
)
OF_SESSION = (
    SESSIONS_OPEN,
    QUERIES,
    ROWS_READ,
    ROWS_WRITTEN,
    BYTES_SCANNED,
    BYTES_WRITTEN,
    BYTES_SPILLED,
    COMMIT_RETRIES,
    DROPPED,
)
"""What a session counts itself."""

MEASURES = (*OF_SESSION, POOL_WAIT, CACHE_HITS, CACHE_MISSES)
"""And what sessions share."""

METER = metrics.get_meter("dagster_dfsession")
"""Hands on to the user's SDK, also to one that is set up later."""


_Counts: TypeAlias = Callable[[float, Mapping[str, str]], None]


def _counting(measure: Measure) -> _Counts:
    said = (measure.name, measure.unit, measure.description)
    if measure.kind == "histogram":
        return METER.create_histogram(*said).record
    if measure.kind == "level":
        return METER.create_up_down_counter(*said).add
    return METER.create_counter(*said).add


_COUNTING: Mapping[str, _Counts] = MappingProxyType(
    {measure.name: _counting(measure) for measure in MEASURES}
)


def count(measure: Measure, amount: float = 1, **attributes: str) -> None:
    """Count for the user's metrics alone; see `Totals` for those of a session."""
    named = {f"dfsession.{key}": value for key, value in attributes.items()}
    _COUNTING[measure.name](amount, named)


class Totals:
    """What was counted since the session was asked for, also for the user's metrics.

    Examples:
        >>> totals = Totals()
        >>> totals.add(ROWS_READ, 3)
        >>> totals.now()["dfsession.rows.read"]
        3
    """

    def __init__(self) -> None:
        """Start at zero."""
        self._values = {each.name: 0 for each in OF_SESSION}
        self._lock = threading.Lock()

    def add(self, measure: Measure, amount: int = 1, **attributes: str) -> None:
        """Count one of `OF_SESSION`; nothing is told of an amount of zero."""
        if not amount:
            return
        with self._lock:
            self._values[measure.name] += amount
        count(measure, amount, **attributes)

    def now(self) -> dict[str, int]:
        """Return the name of each measure -> its value."""
        with self._lock:
            return dict(self._values)
