"""Small files beside the tables, opened with the tables' own storage options."""

import contextlib
import datetime as dt
import functools
from collections.abc import Iterable
from pathlib import Path

import msgspec
from deltalake.fs import DeltaStorageHandler
from pyarrow import fs

from dagster_dfsession.delta.failures import delta_errors, says_empty
from dagster_dfsession.delta.gate import PROCESS_GATE
from dagster_dfsession.delta.location import Location
from dagster_dfsession.errors import LocationError

# Larger than any file, and read as "to the end". Told a size, deltalake asks for none
# when it opens a file: that saves a request, and need not pass the gate.
_WHOLE = 2**40


class FileEntry(msgspec.Struct, frozen=True):
    """A file below a location.

    Attributes:
        modified: When its last byte was written, by the storage's clock.
    """

    path: str
    bytes: int
    modified: dt.datetime


class LakeFiles:
    """Reads and writes whole files below a location.

    A file appears with all its bytes or not at all: object stores put it at once,
    the local one renames a finished file into place.

    Args:
        root: The directory; it need not exist before the first write.
        reading: Paths that will be read, over the same connections.

    Examples:
        >>> import tempfile
        >>> files = LakeFiles(Location(tempfile.mkdtemp()))
        >>> files.write_if_absent("records/a.json", b"{}")
        True
        >>> files.write_if_absent("records/a.json", b"{}"), files.read("records/a.json")
        (False, b'{}')
    """

    def __init__(self, root: Location, reading: Iterable[str] = ()) -> None:
        self._root = root
        self._reading = dict.fromkeys(reading, _WHOLE)

    def to_read(self, paths: Iterable[str]) -> "LakeFiles":
        """Return the same files, prepared to read many: one connection serves all."""
        return LakeFiles(self._root, paths)

    def write_if_absent(self, path: str, data: bytes) -> bool:
        """Write a file unless it is there; say whether it was written.

        Two writers of one path at once may both write: name files by their content.

        Raises:
            LocationError: The path leaves the root.
            DeltaError: The storage refused.
        """
        _check_path(path)
        with delta_errors(self._root.uri, self._root.secrets):
            if self._root.is_local:
                Path(self._root.uri).mkdir(parents=True, exist_ok=True)
            system = self._system
            if system.get_file_info([path])[0].type is fs.FileType.File:
                return False
            # pyarrow would compress by the path's suffix, and hands unbuffered
            # writes to deltalake in a form that it refuses.
            with (
                self._apart(),
                system.open_output_stream(
                    path, compression=None, buffer_size=len(data) + 1
                ) as stream,
            ):
                stream.write(data)
        return True

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes, or None where there is none.

        Raises:
            LocationError: The path leaves the root.
            DeltaError: The storage refused.
        """
        _check_path(path)
        if path not in self._reading:
            return self.to_read([path]).read(path)
        if not self._exists():
            return None
        with delta_errors(self._root.uri, self._root.secrets):
            try:
                return bytes(self._handler.open_input_file(path).read_buffer(_WHOLE))
            except FileNotFoundError:
                return None
            except OSError as error:
                if says_empty(error):
                    return b""
                raise

    def absent(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Return those of the paths where there is no file, one request for each.

        Raises:
            LocationError: A path leaves the root.
            DeltaError: The storage refused.
        """
        asked = [*paths]
        for path in asked:
            _check_path(path)
        with delta_errors(self._root.uri, self._root.secrets):
            found = self._system.get_file_info(asked)
        return tuple(
            path
            for path, info in zip(asked, found, strict=True)
            if info.type is not fs.FileType.File
        )

    def list(self, prefix: str) -> tuple[str, ...]:
        """Return the paths of all files below a directory, sorted.

        Raises:
            LocationError: The prefix leaves the root.
            DeltaError: The storage refused.
        """
        return tuple(entry.path for entry in self.entries(prefix))

    def entries(self, prefix: str) -> tuple[FileEntry, ...]:
        """Return all files below a directory, sorted by path.

        Raises:
            LocationError: The prefix leaves the root.
            DeltaError: The storage refused.
        """
        _check_path(prefix)
        return self._below(prefix)

    def directories(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names of the directories right below another, sorted.

        Raises:
            DeltaError: The storage refused.
        """
        if not self._exists():
            return ()
        below = fs.FileSelector(prefix, allow_not_found=True)
        with delta_errors(self._root.uri, self._root.secrets), self._apart():
            found = self._system.get_file_info(below)
        return tuple(
            sorted(f.base_name for f in found if f.type is fs.FileType.Directory)
        )

    def every(self) -> tuple[FileEntry, ...]:
        """Return all files below the root, sorted by path.

        On this machine also those that a killed writer has not given their name yet.

        Raises:
            DeltaError: The storage refused.
        """
        if not self._root.is_local:
            return self._below("")
        # deltalake hides what is not renamed into place: `part.parquet#1`.
        root, found = Path(self._root.uri), list[FileEntry]()
        with delta_errors(self._root.uri):
            for path in root.rglob("*"):
                with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                    if path.is_file():
                        stat = path.stat()
                        modified = dt.datetime.fromtimestamp(
                            stat.st_mtime, dt.timezone.utc
                        )
                        name = path.relative_to(root).as_posix()
                        found.append(FileEntry(name, stat.st_size, modified))
        return tuple(sorted(found, key=lambda entry: entry.path))

    def remove(self, path: str) -> None:
        """Remove a file; one that is not there is removed already.

        Raises:
            LocationError: The path leaves the root.
            DeltaError: The storage refused.
        """
        _check_path(path)
        with delta_errors(self._root.uri, self._root.secrets):
            if self._root.is_local:
                Path(self._root.uri, path).unlink(missing_ok=True)
                return
            with self._apart(), contextlib.suppress(FileNotFoundError):
                self._system.delete_file(path)

    def _below(self, prefix: str) -> tuple[FileEntry, ...]:
        if not self._exists():
            return ()
        below = fs.FileSelector(prefix, recursive=True, allow_not_found=True)
        with delta_errors(self._root.uri, self._root.secrets), self._apart():
            found = self._system.get_file_info(below)
        now = dt.datetime.now(dt.timezone.utc)  # of a file that tells no time
        entries = (
            FileEntry(f.path, f.size, f.mtime or now)
            for f in found
            if f.type is fs.FileType.File
        )
        return tuple(sorted(entries, key=lambda entry: entry.path))

    def _exists(self) -> bool:
        return not self._root.is_local or Path(self._root.uri).is_dir()

    def _apart(self) -> contextlib.AbstractContextManager[None]:
        local = self._root.is_local
        return contextlib.nullcontext() if local else PROCESS_GATE.alone()

    @functools.cached_property
    def _handler(self) -> DeltaStorageHandler:
        return DeltaStorageHandler(
            self._root.uri, options=self._root.options, known_sizes=self._reading
        )

    @functools.cached_property
    def _system(self) -> fs.PyFileSystem:
        return fs.PyFileSystem(self._handler)


def _check_path(path: str) -> None:
    if not path or any(part in ("", ".", "..") for part in path.split("/")):
        raise LocationError(
            f"{path!r} is no path below a root: write names joined by '/', without "
            "a leading one, '.' or '..'"
        )
