"""The data files of a table at one version, as its log describes them."""

import functools
import os
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.stores import engine_uri

READABLE_FEATURES = frozenset({"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"})
"""Reader features that leave the rows of a data file as they are."""
PLAIN = re.compile(r"[\w./=-]*", re.ASCII).fullmatch
"""Paths that are spelt alike with and without percent-encoding."""
ROW_BYTES = 50
"""Of a row as Parquet holds it, where nothing is known."""
LISTED = 1_000
"""Files that an object store lists at once."""
NULL_DIRECTORY = "__HIVE_DEFAULT_PARTITION__"


class DataFiles:
    """What the log says of each data file; read once, when first asked for.

    Args:
        table: Loaded at the version that is read.
        location: Where it is.

    Examples:
        >>> import tempfile
        >>> from deltalake import write_deltalake
        >>> place = tempfile.mkdtemp()
        >>> write_deltalake(place, pa.table({"n": [1, 2]}))
        >>> files = DataFiles(DeltaTable(place), Location(place))
        >>> files.count, files.reader_feature
        (1, None)
    """

    def __init__(self, table: DeltaTable, location: Location) -> None:
        self._table = table
        self.location = location
        self._described: dict[tuple[str, str], pa.Array[Any] | None] = {}
        self._doubtful: dict[str, bool] = {}

    @property
    def count(self) -> int:
        """How many there are."""
        return self._actions.num_rows

    @functools.cached_property
    def partition_columns(self) -> tuple[str, ...]:
        """The columns that are in no file, in the table's order."""
        return tuple(self._table.metadata().partition_columns)

    @functools.cached_property
    def reader_feature(self) -> str | None:
        """A feature of the table that changes what the files mean; None: there is none.

        Deletion vectors take rows away, column mapping renames columns: of such a
        table, only a reader that knows the feature may open the files.
        """
        protocol = self._table.protocol()
        unknown = set(protocol.reader_features or ()) - READABLE_FEATURES
        if unknown:
            return min(unknown)
        mapping = self._table.metadata().configuration.get("delta.columnMapping.mode")
        return None if mapping in (None, "none") else "columnMapping"

    @functools.cached_property
    def paths(self) -> tuple[str, ...]:
        """Paths below the table, as its log spells them: percent-encoded."""
        return tuple(map(str, self._actions.column("path").to_pylist()))

    @property
    def sizes(self) -> "pa.Array[Any]":
        """Bytes of each file."""
        return self._actions.column("size_bytes").combine_chunks()

    @functools.cached_property
    def rows(self) -> "pa.Array[Any]":
        """Rows of each file; NULL where its writer did not count them."""
        return self._actions.column("num_records").combine_chunks()

    @functools.cached_property
    def row_estimates(self) -> tuple[int, ...]:
        """Rows of each file, guessed from its size where nobody counted them."""
        guessed = pc.divide(self.sizes, ROW_BYTES)
        known: Any = pc.coalesce(self.rows, guessed)
        return tuple(known.to_pylist())

    def partition_values(self, column: str) -> "pa.Array[Any]":
        """Return the value that a partition column has in each file."""
        values = self._description("partition", column)
        if values is None:
            raise KeyError(column)
        return values

    def least(self, column: str) -> "pa.Array[Any] | None":
        """Return each file's least value of a column; None: no file tells."""
        return self._description("min", column)

    def greatest(self, column: str) -> "pa.Array[Any] | None":
        """Return each file's greatest value of a column; None: no file tells."""
        return self._description("max", column)

    def nulls(self, column: str) -> "pa.Array[Any] | None":
        """Return how many NULLs of a column each file has; None: no file tells."""
        return self._description("null_count", column)

    def has_doubtful_values(self, column: str) -> bool:
        """Whether the log's readers take other values for those of a partition column.

        A NULL may be the empty text, which only the directory tells; binary values
        come out as their escapes.
        """
        if column not in self._doubtful:
            self._doubtful[column] = self._has_doubtful_values(column)
        return self._doubtful[column]

    def _has_doubtful_values(self, column: str) -> bool:
        values = self.partition_values(column)
        if not pa.types.is_string(values.type):
            return pa.types.is_binary(values.type)
        directory = f"{column}={NULL_DIRECTORY}"
        absent: Any = pc.indices_nonzero(values.is_null())
        return any(
            directory not in unquote(self.paths[index]) for index in absent.to_pylist()
        )

    @functools.cached_property
    def are_below(self) -> bool:
        """Whether all files lie below the table; those of a clone need not."""
        return not any(":" in path and urlsplit(path).scheme for path in self.paths)

    def url(self, index: int) -> str:
        """Return the address by which the engine opens a file."""
        path = self.paths[index]
        return self._root_url + (path if PLAIN(path) else quote(unquote(path)))

    def name(self, index: int) -> str:
        """Return what the engine's `input_file_name()` calls a file."""
        return self._root_name + unquote(self.paths[index])

    def missing(self, indices: Iterable[int]) -> list[str]:
        """Return the paths of these files that are gone: the engine would not say so.

        Raises:
            DeltaError: The storage refused.
        """
        paths = [unquote(self.paths[index]) for index in indices]
        if self.location.is_local:
            root = self.location.uri
            return [path for path in paths if not os.path.exists(f"{root}/{path}")]  # noqa: PTH110  # ten times as fast, for thousands of files
        if len(paths) <= 1 + self.count // LISTED:
            return list(LakeFiles(self.location).absent(paths))
        # Lists all files, in fewer requests than asking for each of these.
        with delta_errors(self.location.uri, self.location.secrets):
            gone = set(self._table.repair(dry_run=True)["files_removed"])
        return [path for path in paths if path in gone]

    @functools.cached_property
    def _root_url(self) -> str:
        return f"{engine_uri(self.location)}/"

    @functools.cached_property
    def _root_name(self) -> str:
        uri = self.location.uri
        path = uri if self.location.is_local else urlsplit(uri).path
        return f"{path.strip('/')}/".lstrip("/")

    @functools.cached_property
    def _actions(self) -> pa.Table:
        with delta_errors(self.location.uri, self.location.secrets):
            return pa.table(self._table.get_add_actions())

    def _description(self, what: str, column: str) -> "pa.Array[Any] | None":
        if (what, column) not in self._described:
            self._described[what, column] = self._read(what, column)
        return self._described[what, column]

    def _read(self, what: str, column: str) -> "pa.Array[Any] | None":
        described = self._descriptions.get(what)
        if described is None:
            return None
        at = described.type.get_field_index(column)
        return None if at < 0 else pc.struct_field(described, [at])

    @functools.cached_property
    def _descriptions(self) -> "dict[str, pa.StructArray]":
        every = {
            name: self._actions.column(name).combine_chunks()
            for name in self._actions.column_names
        }
        return {
            name: each
            for name, each in every.items()
            if isinstance(each, pa.StructArray)
        }
