"""The rows that changed between two versions of a table."""

import functools
import operator
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler
from pyarrow import fs

from dagster_dfsession.delta.arrow_types import table_schema
from dagster_dfsession.delta.data_files import DataFiles
from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.log import Commit, commits_backwards, read_commit
from dagster_dfsession.delta.partition_values import partition_scalar
from dagster_dfsession.errors import DeltaError

_OF_A_CHANGE: Mapping[str, pa.DataType] = MappingProxyType(
    {
        "_change_type": pa.string(),
        "_commit_version": pa.int64(),
        "_commit_timestamp": pa.timestamp("us", tz="UTC"),
    }
)
CHANGE_COLUMNS = pa.schema(list(_OF_A_CHANGE.items()))
"""What a row says of its change, by the names of Delta's change data feed."""

START = -1
"""The version before a table's first: after it, all rows are new."""

FEED = "delta.enableChangeDataFeed"
"""The table property that has writers keep what an update changed."""


class ChangedFile(msgspec.Struct, frozen=True):
    """A file whose rows all came or went with one commit.

    Attributes:
        path: Below the table, percent-encoded.
        size: In bytes; None: its writer did not say.
        values: Its values of the partition columns, and of `CHANGE_COLUMNS` where the
            file has none itself.
    """

    path: str
    size: int | None
    values: Mapping[str, "pa.Scalar[Any]"]


def changes(table: DeltaTable, location: Location, since: int) -> ds.FileSystemDataset:
    """Return the rows that changed after a version, up to the table's own.

    They have the table's columns and `CHANGE_COLUMNS`. Nothing is read but the log;
    the rows are, whenever the dataset is scanned. After `START`, they are all rows of
    the table, as inserts of its version.

    A commit that only added files inserted their rows. One that also took files out
    is known by its change data feed; compaction changes no row.

    Args:
        table: Loaded at the last version that counts.
        location: Where it is: log and files are read with its storage options.
        since: The last version that does not count.

    Raises:
        DeltaError: The log no longer has a commit in between, or a commit took rows
            out while the table had no change data feed, or the table has a feature
            that changes what its files mean.

    Examples:
        >>> import tempfile
        >>> from deltalake import write_deltalake
        >>> place = tempfile.mkdtemp()
        >>> for n in range(2):
        ...     write_deltalake(place, pa.table({"n": [n]}), mode="append")
        >>> found = changes(DeltaTable(place), Location(place), since=0)
        >>> found.to_table(columns=["n", "_change_type", "_commit_version"]).to_pylist()
        [{'n': 1, '_change_type': 'insert', '_commit_version': 1}]
    """
    _check_features(table, location)
    found = (
        _all_rows(table, location)
        if since == START
        else _changed_rows(table, location, since)
    )
    schema = pa.schema([*table_schema(table), *CHANGE_COLUMNS])
    return _dataset(list(found), location, schema)


def added_rows(table: DeltaTable, location: Location) -> ds.FileSystemDataset:
    """Return the rows that the commit of the table's loaded version added.

    Args:
        table: Loaded at that version.
        location: Where it is.

    Raises:
        DeltaError: The log no longer has the commit, or the table has a feature that
            changes what its files mean.
    """
    _check_features(table, location)
    typed = table_schema(table)
    commit = read_commit(LakeFiles(location), table.version())
    if commit is None:
        raise DeltaError(
            f"{location}: what version {table.version()} added is not known: the log "
            "no longer has its commit"
        )
    files = (
        ChangedFile(add.path, add.size, _values(add.partition_values, typed))
        for add in commit.adds
        if add.data_change
    )
    return _dataset(list(files), location, typed)


def _check_features(table: DeltaTable, location: Location) -> None:
    feature = DataFiles(table, location).reader_feature
    if feature is not None:
        raise DeltaError(
            f"{location}: changes of a table with the feature {feature} cannot be "
            "told from its files; read the whole table instead"
        )


def _all_rows(table: DeltaTable, location: Location) -> Iterator[ChangedFile]:
    files = DataFiles(table, location)
    commit = read_commit(LakeFiles(location), table.version())
    stamp = _stamp(table.version(), commit) | _change("insert")
    columns = {name: files.partition_values(name) for name in files.partition_columns}
    for index, (path, size) in enumerate(
        zip(files.paths, files.sizes.to_pylist(), strict=True)
    ):
        own = {name: values[index] for name, values in columns.items()}
        yield ChangedFile(path, size, own | stamp)


def _changed_rows(
    table: DeltaTable, location: Location, since: int
) -> Iterator[ChangedFile]:
    feed, expected = _Feed(table, location), table.version()
    commits = commits_backwards(LakeFiles(location), table.version())
    typed = table_schema(table)
    while expected > since:
        commit = next(commits, None)
        if commit is None or commit.version != expected:
            raise DeltaError(
                f"{location}: the changes after version {since} are not known: the log "
                f"no longer has version {expected}. Read the whole table once, and see "
                "to it that the table property delta.logRetentionDuration is longer "
                "than the time between two runs."
            )
        yield from _of_commit(commit, typed, feed, location)
        feed.passed(commit)
        expected -= 1


def _of_commit(
    commit: Commit, typed: pa.Schema, feed: "_Feed", location: Location
) -> Iterator[ChangedFile]:
    stamp = _stamp(commit.version, commit)
    if commit.change_files:
        for each in commit.change_files:
            own = _values(each.partition_values, typed)
            yield ChangedFile(each.path, each.size, own | stamp)
        return
    gone = [remove for remove in commit.removes if remove.data_change]
    if gone and not feed.is_kept(commit):
        raise DeltaError(
            f"{location}: version {commit.version} ({commit.operation or 'unknown'}) "
            "took rows out of the table, and which ones is not known: the table keeps "
            f"no change data feed. Set its property {FEED} to 'true', which holds for "
            "later versions, and read the whole table once."
        )
    for add in commit.adds:
        if add.data_change:
            own = _values(add.partition_values, typed)
            yield ChangedFile(add.path, add.size, own | stamp | _change("insert"))
    for remove in gone:
        own = _values(remove.partition_values or {}, typed)
        yield ChangedFile(remove.path, remove.size, own | stamp | _change("delete"))


class _Feed:
    """Whether a table kept its change data feed, asked from the newest commit back."""

    def __init__(self, table: DeltaTable, location: Location) -> None:
        self._table: DeltaTable | None = table
        self._location = location

    def is_kept(self, commit: Commit) -> bool:
        """Whether it was kept when this commit was made."""
        if self._table is None:
            self._table = open_table(self._location, commit.version)
        if self._table is None:
            return False
        return self._table.metadata().configuration.get(FEED, "").lower() == "true"

    def passed(self, commit: Commit) -> None:
        """Go on to the commit before this one."""
        if commit.changes_metadata:
            self._table = None


def _stamp(version: int, commit: Commit | None) -> dict[str, "pa.Scalar[Any]"]:
    _, versions, times = CHANGE_COLUMNS
    moment = None if commit is None else commit.time
    return {
        versions.name: pa.scalar(version, versions.type),
        times.name: pa.scalar(moment, times.type),
    }


def _change(kind: str) -> dict[str, "pa.Scalar[Any]"]:
    return {CHANGE_COLUMNS.names[0]: pa.scalar(kind)}


def _values(
    stated: Mapping[str, str | None], typed: pa.Schema
) -> dict[str, "pa.Scalar[Any]"]:
    return {
        name: partition_scalar(text, typed.field(name).type)
        for name, text in stated.items()
        if name in typed.names
    }


def _dataset(
    files: list[ChangedFile], location: Location, schema: pa.Schema
) -> ds.FileSystemDataset:
    paths = [_path(file, location) for file in files]
    system = _file_system(location, dict(zip(paths, files, strict=True)))
    form = ds.ParquetFileFormat()
    fragments = [
        form.make_fragment(path, system, partition_expression=_known(file.values))
        for path, file in zip(paths, files, strict=True)
    ]
    return ds.FileSystemDataset(fragments, schema, form, system)


def _path(file: ChangedFile, location: Location) -> str:
    if urlsplit(file.path).scheme:
        raise DeltaError(
            f"{location}: its file {file.path} lies outside the table, as in a shallow "
            "clone, and changes of such a table cannot be read; read the whole table"
        )
    return unquote(file.path)


def _file_system(location: Location, files: Mapping[str, ChangedFile]) -> fs.FileSystem:
    if location.is_local:
        return fs.SubTreeFileSystem(location.uri, fs.LocalFileSystem())
    # Told a size, deltalake makes no request for it while it keeps Python waiting.
    sizes = {path: file.size for path, file in files.items() if file.size is not None}
    with delta_errors(location.uri, location.secrets):
        return fs.PyFileSystem(
            DeltaStorageHandler(
                location.uri, options=location.options, known_sizes=sizes
            )
        )


def _known(values: Mapping[str, "pa.Scalar[Any]"]) -> ds.Expression:
    """What is true of all rows of a file; Arrow fills in columns that it settles."""
    facts = (
        ds.field(name) == value if value.is_valid else ds.field(name).is_null()
        for name, value in values.items()
    )
    return functools.reduce(operator.and_, facts, ds.scalar(True))  # noqa: FBT003  # an Arrow literal
