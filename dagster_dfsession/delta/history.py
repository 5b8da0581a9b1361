"""Data versions: equal only where the data is equal, read off the Delta log."""

import itertools
from collections.abc import Iterator

import msgspec
import pyarrow as pa
from deltalake import DeltaTable

from dagster_dfsession.delta.arrow_types import table_schema
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.log import (
    DATA_VERSION,
    MERGE,
    PARTITIONS,
    SCOPE,
    Commit,
    commits_backwards,
)
from dagster_dfsession.plan.hashing import content_hash

BY_VERSION = "delta:"
"""How a data version begins that tells nothing of the rows."""
LONGEST_WALK = 1_000
"""Commits read before a data version is given up for the table's own version."""

# Metadata that these set says nothing about rows or columns.
_HARMLESS = frozenset(
    {"SET TBLPROPERTIES", "ADD CONSTRAINT", "DROP CONSTRAINT", "UPDATE TABLE METADATA"}
)


def data_version(
    table: DeltaTable, location: Location, partitions: frozenset[str] | None = None
) -> str:
    """Return what the rows of a table at its loaded version are, by content.

    An unpartitioned table that was overwritten has the data version of that commit.
    Where several commits make up the rows, as with partitions, appends or merges, it is
    the hash of all of theirs. Compaction and other maintenance change nothing.

    Where a commit of another writer changed rows or columns, where the log was
    cleaned up too early, or where more than `LONGEST_WALK` commits make up the rows,
    it is `delta:<table>:<version>`, with the last version known to change data.

    Args:
        table: At the version that is read.
        location: Where it is: the log is read with its storage options.
        partitions: The partition keys that are read; None is all of them.

    Raises:
        DeltaError: The log cannot be read.
    """
    walk = _Walk(table, partitions)
    known = walk.run(commits_backwards(LakeFiles(location), table.version()))
    if not known:
        changed = table.version() if walk.changed_at is None else walk.changed_at
        return f"{BY_VERSION}{str(table.metadata().id)[:8]}:{changed}"
    if not walk.by_partition and len(walk.whole) == 1 and walk.has_base:
        return walk.whole[0]
    payload = {
        "schema": [[f.name, str(f.type)] for f in table_schema(table)],
        "whole": walk.whole,
        "partitions": walk.by_partition,
        # Above rows of all keys, it matters whether a key's were replaced or added to.
        "replaced": sorted(walk.replaced) if walk.whole else [],
    }
    return content_hash("delta_data", 1, payload)


# Where there was no table, there were no rows to keep.
_REPLACING = frozenset({"Overwrite", "ErrorIfExists"})


class _Walk:
    """What is known of the rows, going backwards through the commits.

    Attributes:
        changed_at: The newest version that changed data.
        whole: Data versions that hold for all rows, newest first.
        has_base: Whether the oldest of them replaced the whole table.
        by_partition: For each partition key its data versions, newest first, back to
            the commit that replaced it.
        replaced: The keys for which that commit was found.
    """

    def __init__(self, table: DeltaTable, wanted: frozenset[str] | None) -> None:
        self.changed_at: int | None = None
        self.whole: list[str] = []
        self.has_base = False
        self.by_partition: dict[str, list[str]] = {}
        self._wanted = wanted
        self.replaced: set[str] = set()
        self._keyed = False
        self._unexplained = _LiveFiles(table)

    def run(self, commits: Iterator[Commit]) -> bool:
        """Read commits until the rows are known; False if they cannot be."""
        for commit in itertools.islice(commits, LONGEST_WALK):
            if commit.changes_data:
                if self.changed_at is None:
                    self.changed_at = commit.version
                if not self._take(commit):
                    return False
            elif not self._skip(commit):
                return False
            if commit.version == 0 or self._is_complete():
                return True
        return False

    def _skip(self, commit: Commit) -> bool:
        self._unexplained.moved(commit)
        return (
            not commit.changes_metadata
            or commit.version == 0
            or commit.operation in _HARMLESS
        )

    def _take(self, commit: Commit) -> bool:
        """Note what the commit made of which rows; False if it does not say."""
        stated = commit.info.get(DATA_VERSION)
        keys = partition_keys(commit)
        replaces = commit.operation == "RESTORE" or (
            commit.operation == "WRITE" and commit.parameters.get("mode") in _REPLACING
        )
        if not isinstance(stated, str):
            return False
        if keys is None:
            return self._take_whole(stated, commit, replaces=replaces)
        if SCOPE not in commit.info or self.whole:
            # Rows of all keys came later: which keys they are above is not noted.
            return False
        self._keyed = True
        for key in keys if self._wanted is None else keys & self._wanted:
            if key not in self.replaced:
                self.by_partition.setdefault(key, []).append(stated)
                if replaces:
                    self.replaced.add(key)
        if commit.operation == MERGE:
            self._unexplained.merged(commit)
        else:
            self._unexplained.added(commit)
        return True

    def _take_whole(self, stated: str, commit: Commit, *, replaces: bool) -> bool:
        if PARTITIONS in commit.info or "predicate" in commit.parameters:
            return False
        self.whole.append(stated)
        self.has_base = replaces
        return True

    def _is_complete(self) -> bool:
        if self.has_base:
            return True
        if self._wanted is not None:
            return self._wanted <= self.replaced
        return self._keyed and self._unexplained.is_empty()


class _LiveFiles:
    """The table's files whose rows no commit has accounted for yet.

    Once there are none, all rows are known, wherever the history may go on. That
    holds as long as each commit put rows of its own keys, and no others, in the files
    it added; a commit that says otherwise ends the account.
    """

    def __init__(self, table: DeltaTable) -> None:
        self._table = table
        self._paths: set[str] | None = None
        self._is_kept = True

    def added(self, commit: Commit) -> None:
        """Strike out what the commit added with its own rows."""
        self._is_kept = self._is_kept and commit.info[SCOPE] == "files"
        if self._is_kept:
            self._live().difference_update(add.path for add in commit.adds)

    def merged(self, commit: Commit) -> None:
        """Put the files that a merge read in the place of those it wrote.

        What became of their rows depends on what they were: also of those that went.
        """
        self._live().difference_update(add.path for add in commit.adds)
        self._live().update(remove.path for remove in commit.removes)

    def moved(self, commit: Commit) -> None:
        """Put the files that maintenance read in the place of those it wrote."""
        if self._is_kept and commit.adds:
            self._live().difference_update(add.path for add in commit.adds)
            self._live().update(remove.path for remove in commit.removes)

    def is_empty(self) -> bool:
        """Whether all rows are accounted for."""
        return self._is_kept and not self._live()

    def _live(self) -> set[str]:
        if self._paths is None:
            actions = pa.table(self._table.get_add_actions())
            self._paths = {str(path) for path in actions.column("path").to_pylist()}
        return self._paths


def partition_keys(commit: Commit) -> frozenset[str] | None:
    """Return the partition keys that a commit wrote; None: it does not say."""
    text = commit.info.get(PARTITIONS)
    if not isinstance(text, str):
        return None
    try:
        return frozenset(msgspec.json.decode(text, type=list[str]))
    except msgspec.DecodeError:
        return None
