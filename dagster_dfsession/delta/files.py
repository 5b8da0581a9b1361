"""Small files beside the tables, opened with the tables' own storage options."""

import functools
from pathlib import Path

from deltalake.fs import DeltaStorageHandler
from pyarrow import fs

from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.location import Location
from dagster_dfsession.errors import LocationError


class LakeFiles:
    """Reads and writes whole files below a location.

    A file appears with all its bytes or not at all: object stores put it at once,
    the local one renames a finished file into place.

    Args:
        root: The directory; it need not exist before the first write.

    Examples:
        >>> import tempfile
        >>> files = LakeFiles(Location(tempfile.mkdtemp()))
        >>> files.write_if_absent("records/a.json", b"{}")
        True
        >>> files.write_if_absent("records/a.json", b"{}"), files.read("records/a.json")
        (False, b'{}')
    """

    def __init__(self, root: Location) -> None:
        self._root = root

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
            with system.open_output_stream(
                path, compression=None, buffer_size=len(data) + 1
            ) as stream:
                stream.write(data)
        return True

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes, or None where there is none.

        Raises:
            LocationError: The path leaves the root.
            DeltaError: The storage refused.
        """
        _check_path(path)
        if not self._exists():
            return None
        with delta_errors(self._root.uri, self._root.secrets):
            try:
                with self._system.open_input_stream(path, compression=None) as stream:
                    return bytes(stream.read())
            except FileNotFoundError:
                return None

    def list(self, prefix: str) -> tuple[str, ...]:
        """Return the paths of all files below a directory, sorted.

        Raises:
            LocationError: The prefix leaves the root.
            DeltaError: The storage refused.
        """
        _check_path(prefix)
        if not self._exists():
            return ()
        below = fs.FileSelector(prefix, recursive=True, allow_not_found=True)
        with delta_errors(self._root.uri, self._root.secrets):
            found = self._system.get_file_info(below)
        return tuple(sorted(f.path for f in found if f.type is fs.FileType.File))

    def _exists(self) -> bool:
        return not self._root.is_local or Path(self._root.uri).is_dir()

    @functools.cached_property
    def _system(self) -> fs.PyFileSystem:
        return fs.PyFileSystem(
            DeltaStorageHandler(self._root.uri, options=self._root.options)
        )


def _check_path(path: str) -> None:
    if not path or any(part in ("", ".", "..") for part in path.split("/")):
        raise LocationError(
            f"{path!r} is no path below a root: write names joined by '/', without "
            "a leading one, '.' or '..'"
        )
