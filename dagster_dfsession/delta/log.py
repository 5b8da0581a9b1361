"""Commits as the Delta log holds them.

`DeltaTable.history` will not do: for a table at an older version it counts from the
wrong end, and it leaves out commits of writers that record no commit information.
"""

import datetime as dt
import itertools
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from dagster_dfsession.delta.files import LakeFiles

DATA_VERSION = "dfsession.data_version"
"""Commit metadata: what the rows of the commit are, by content."""
PARTITIONS = "dfsession.partitions"
"""Commit metadata: a JSON list of the partition keys that the commit wrote."""
SCOPE = "dfsession.scope"
"""Commit metadata, set by `write_table` once all rows were checked to belong to the
keys: `files` when the commit touched whole files of its own only, else `rows`."""
RUN_ID = "dfsession.run_id"
"""Commit metadata: the Dagster run that committed."""
ASSET = "dfsession.asset"
"""Commit metadata: the asset key that was written, its parts joined by `/`."""
CURSOR = "dfsession.cursor"
"""Commit metadata: how far the step had read the tables that it reads changes of."""
SESSION_HASH = "dfsession.session_hash"
"""Commit metadata: which session made the rows."""
Z_ORDER_BY = "dfsession.z_order_by"
"""Commit metadata of maintenance: a JSON list of the columns it clustered rows by."""
Z_ORDER_WITHIN = "dfsession.z_order_within"
"""Commit metadata of maintenance: the partitions it did so in; without, everywhere."""
MERGE = "MERGE"
"""The operation of a commit that merged."""

_WINDOWS = (1, 1, 2, 4, 8, 16)
_WIDEST = 32
_CONNECTED = 1_000


class Add(msgspec.Struct, frozen=True, rename="camel"):
    """A file that a commit added."""

    path: str
    size: int
    data_change: bool = True
    partition_values: dict[str, str | None] = {}
    stats: str | None = None

    @property
    def rows(self) -> int | None:
        """How many rows the file has; None if its writer did not count them."""
        if self.stats is None:
            return None
        return msgspec.json.decode(self.stats, type=_Stats).num_records


class Remove(msgspec.Struct, frozen=True, rename="camel"):
    """A file that a commit took out of the table."""

    path: str
    data_change: bool = True
    size: int | None = None
    partition_values: dict[str, str | None] | None = None


class ChangeFile(msgspec.Struct, frozen=True, rename="camel"):
    """A file of the change data feed: the rows that a commit changed."""

    path: str
    size: int | None = None
    partition_values: dict[str, str | None] = {}


class Commit(msgspec.Struct, frozen=True):
    """One version of a table.

    Attributes:
        version: The version it made.
        info: What its writer says of it; empty if nothing.
        changes_metadata: Whether it set schema, properties or partition columns.
        transactions: Version by application id.
        change_files: What came and went, where files that came and went do not tell.
    """

    version: int
    info: Mapping[str, Any]
    adds: tuple[Add, ...]
    removes: tuple[Remove, ...]
    changes_metadata: bool
    transactions: Mapping[str, int]
    change_files: tuple[ChangeFile, ...] = ()

    @property
    def changes_data(self) -> bool:
        """Whether rows came or went; compaction only moves them."""
        return any(add.data_change for add in self.adds) or any(
            remove.data_change for remove in self.removes
        )

    @property
    def operation(self) -> str:
        """The writer's word for what it did, such as WRITE or OPTIMIZE."""
        return str(self.info.get("operation", ""))

    @property
    def time(self) -> dt.datetime | None:
        """When its writer committed, by the writer's clock; None if it does not say."""
        stated = self.info.get("inCommitTimestamp", self.info.get("timestamp"))
        if not isinstance(stated, int):
            return None
        return dt.datetime.fromtimestamp(stated / 1000, dt.timezone.utc)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What the operation was told, such as its mode and predicate."""
        found = self.info.get("operationParameters", {})
        return found if isinstance(found, dict) else {}


class _Stats(msgspec.Struct, rename="camel"):
    num_records: int | None = None


class _Transaction(msgspec.Struct, rename="camel"):
    app_id: str
    version: int


class _Action(msgspec.Struct, rename="camel"):
    add: Add | None = None
    remove: Remove | None = None
    meta_data: msgspec.Raw = msgspec.Raw()
    txn: _Transaction | None = None
    commit_info: dict[str, Any] | None = None
    cdc: ChangeFile | None = None


_decoder = msgspec.json.Decoder(_Action)


def written_by(asset: str, run_id: str, session_hash: str) -> dict[str, str]:
    """Return the commit metadata by which a run signs what it wrote."""
    return {ASSET: asset, RUN_ID: run_id, SESSION_HASH: session_hash}


def read_commit(files: LakeFiles, version: int) -> Commit | None:
    """Read the commit that made `version`, or None if the log no longer has it.

    Args:
        files: The files below the table.
        version: 0 is the table's creation.

    Raises:
        DeltaError: The storage refused.
    """
    text = files.read(_path(version))
    if text is None:
        return None
    actions = _decoder.decode_lines(text)
    return Commit(
        version=version,
        info=next((a.commit_info for a in actions if a.commit_info is not None), {}),
        adds=tuple(a.add for a in actions if a.add is not None),
        removes=tuple(a.remove for a in actions if a.remove is not None),
        changes_metadata=any(bytes(a.meta_data) for a in actions),
        transactions={
            a.txn.app_id: a.txn.version for a in actions if a.txn is not None
        },
        change_files=tuple(a.cdc for a in actions if a.cdc is not None),
    )


def commits_backwards(files: LakeFiles, newest: int) -> Iterator[Commit]:
    """Read commits from `newest` down to 0, ending early where the log ends.

    Commits are read ahead in growing groups: the first costs one read, a thousand
    cost what some forty reads take one after the other.

    Raises:
        DeltaError: The storage refused.
    """
    oldest = max(newest - _CONNECTED, -1)
    files = files.to_read(_path(version) for version in range(newest, oldest, -1))
    sizes = itertools.chain(_WINDOWS, itertools.repeat(_WIDEST))
    with ThreadPoolExecutor(max_workers=_WIDEST) as readers:
        while newest >= 0:
            group = range(newest, max(newest - next(sizes), -1), -1)
            for commit in readers.map(lambda v: read_commit(files, v), group):
                if commit is None:
                    return
                yield commit
            newest = group[-1] - 1


def _path(version: int) -> str:
    return f"_delta_log/{version:020}.json"
