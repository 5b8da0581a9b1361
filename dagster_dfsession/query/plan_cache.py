"""What planning a query found out, kept between processes.

What is kept: the tables that a query names, and the columns that it gives over tables
of known columns. A location of many SQL assets asks for the first whenever it is
loaded, `dfsession check` for both. What is not kept: optimized plans. DataFusion 55
writes none down that scans a Delta table, a dataset or rows in memory; over files it
writes them, but of the 99 plans of TPC-DS 13 come back as other plans; and to execute
one, it is optimized again. It would save 2 to 6 ms of a query that runs once in a run.
`benchmarks/plan_cache.py` has the figures.

An entry is found by all that determines it, so there is none to invalidate; one that
does not say what it was found by is dropped and counted, and the query planned.
"""

import functools
import hashlib
import importlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import msgspec
import pyarrow as pa

from dagster_dfsession.errors import ProfileError
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.profile.cache import Plans, PlansOnDisk
from dagster_dfsession.session.catalog import TableName

ENTRY_VERSION = 1
_DIGEST = hashlib.sha256().digest_size

Found = TypeVar("Found")


def plan_cache(plans: Plans) -> "PlanCache | None":
    """Return the cache that a profile asks for; None: it asks for none.

    A process has one for each directory, so its counts are those of the process.

    Raises:
        ProfileError: The extra `plan-cache` is not installed.
        SessionError: The directory cannot be used.

    Examples:
        >>> from dagster_dfsession import SessionProfile
        >>> plan_cache(SessionProfile(name="dev").cache.plans) is None
        True
    """
    return _on_disk(plans) if isinstance(plans, PlansOnDisk) else None


@functools.cache
def _on_disk(plans: PlansOnDisk) -> "PlanCache":
    try:
        adapter = importlib.import_module("dagster_dfsession.query.plan_disk")
    except ModuleNotFoundError as error:
        if error.name != "diskcache":
            raise
        raise ProfileError.at(
            "$.cache.plans",
            "plans can be kept on disk only with the package diskcache, which is not "
            "installed; run: pip install 'dagster-dfsession[plan-cache]'",
        ) from None
    return PlanCache(adapter.DiskStore(plans))


class PlanStore(Protocol):
    """Where entries are: bytes by a key of 64 hex digits, as many as there is room."""

    def get(self, key: str) -> bytes | None:
        """Return an entry; None: there is none."""

    def put(self, key: str, entry: bytes) -> None:
        """Keep an entry, in the place of one of this key."""

    def drop(self, key: str) -> None:
        """Forget an entry."""


class PlanCounts(Frozen, frozen=True):
    """What a plan cache was good for.

    Attributes:
        hits: Queries that were not planned.
        misses: Queries that were.
        dropped: Entries that were damaged; each was a miss as well.
    """

    hits: int
    misses: int
    dropped: int


class PlanCache:
    """Answers for queries that were planned before; the others, it has planned.

    Examples:
        >>> class Memory(dict):
        ...     put, drop = dict.__setitem__, dict.__delitem__
        >>> cache = PlanCache(Memory())
        >>> for _ in range(2):
        ...     cache.tables("SELECT 1", "any", lambda: frozenset())
        frozenset()
        frozenset()
        >>> cache.counts
        PlanCounts(hits=1, misses=1, dropped=0)
    """

    def __init__(self, store: PlanStore) -> None:
        """Keep entries in `store`."""
        self._store = store
        self._counted: Counter[str] = Counter()

    @property
    def counts(self) -> PlanCounts:
        """What it was good for so far."""
        return PlanCounts(
            hits=self._counted["hit"],
            misses=self._counted["miss"],
            dropped=self._counted["dropped"],
        )

    def tables(
        self, query: str, reader: object, find: Callable[[], frozenset[TableName]]
    ) -> frozenset[TableName]:
        """Return the tables that a query names.

        Args:
            query: SQL.
            reader: What else decides which tables those are, as plain data.
            find: Finds them; what it raises is not kept.
        """
        return self._known(
            content_hash("plan_tables", ENTRY_VERSION, (query, reader)),
            find,
            lambda names: msgspec.msgpack.encode(sorted(names)),
            lambda body: msgspec.msgpack.decode(body, type=frozenset[tuple[str, str]]),
        )

    def columns(
        self,
        query: str,
        over: Mapping[str, pa.Schema],
        session_hash: str,
        find: Callable[[], pa.Schema],
    ) -> pa.Schema:
        """Return the columns that a query gives.

        Args:
            query: SQL.
            over: The columns of the tables that it names.
            session_hash: Of the session that would plan it.
            find: Plans it; what it raises is not kept.
        """
        tables = {name: _dumped(schema) for name, schema in over.items()}
        return self._known(
            content_hash("plan_columns", ENTRY_VERSION, (query, tables, session_hash)),
            find,
            _dumped,
            lambda body: pa.ipc.read_schema(pa.py_buffer(body)),
        )

    def _known(
        self,
        key: str,
        find: Callable[[], Found],
        encode: Callable[[Found], bytes],
        decode: Callable[[bytes], Found],
    ) -> Found:
        entry = self._store.get(key)
        if entry is not None:
            body = entry[_DIGEST:]
            if entry == _sealed(key, body):
                self._counted["hit"] += 1
                return decode(body)
            self._store.drop(key)
            self._counted["dropped"] += 1
        self._counted["miss"] += 1
        found = find()
        self._store.put(key, _sealed(key, encode(found)))
        return found


def _dumped(schema: pa.Schema) -> bytes:
    return schema.serialize().to_pybytes()


def _sealed(key: str, body: bytes) -> bytes:
    """Return an entry that fits no other key and no other body."""
    return hashlib.sha256(key.encode() + body).digest() + body
