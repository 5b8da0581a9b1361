"""Where tables are: addresses, and the storage options that open them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from dagster_dfsession.delta.failures import delta_errors, says_absent
from dagster_dfsession.delta.options import is_readable, with_defaults
from dagster_dfsession.errors import LocationError

OWN_PREFIX = "_dfsession"
"""Names that start so, directly below the root, are this package's own files."""

_CONTROLS = frozenset({"\x7f", *(chr(code) for code in range(32))})
# Of these, deltalake 1.6 panics on []^| when it writes (it takes them for a host
# name), and decodes %20 twice, so that it reads the log of another directory.
_REFUSED_IN_PATHS = frozenset("\\[]^|%") | _CONTROLS
# In a cloud address ? and # end the path: `a#b` and `a?b` would both be `a`.
_REFUSED_IN_KEYS = frozenset("/?#") | _REFUSED_IN_PATHS


class Location(msgspec.Struct, frozen=True):
    """The address of a table or of a lake, and what opens it.

    Attributes:
        uri: An absolute local path, or `scheme://bucket/path`.
        storage_options: Pairs for deltalake's object stores, sorted by key. Their
            values are secrets: no text of this class shows one.

    Examples:
        >>> Location("s3://lake/t", (("aws_secret_access_key", "hunter2"),))
        Location('s3://lake/t', storage_options={'aws_secret_access_key': '***'})
    """

    uri: str
    storage_options: tuple[tuple[str, str], ...] = ()

    @property
    def options(self) -> dict[str, str]:
        """The storage options as deltalake takes them; a new dict each time."""
        return dict(self.storage_options)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may show."""
        return tuple(
            value for key, value in self.storage_options if not is_readable(key, value)
        )

    @property
    def is_local(self) -> bool:
        """Whether the table is in this machine's file system."""
        return "://" not in self.uri

    def __repr__(self) -> str:
        masked = dict.fromkeys((key for key, _ in self.storage_options), "***")
        options = f", storage_options={masked}" if masked else ""
        return f"Location({self.uri!r}{options})"

    def __str__(self) -> str:
        return self.uri

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("", repr(self))]


class Lake:
    """A root address below which each asset key has a place for its table.

    Args:
        root_uri: A local path (relative ones are made absolute, `~` is expanded),
            a `file://` address, or a cloud address such as `s3://bucket/lake`.
        storage_options: For deltalake's object stores; secrets are kept out of every
            text. `with_defaults` says what is added.

    Raises:
        LocationError: The root names no place for tables.

    Examples:
        >>> Lake("s3://bucket/lake/").table(["raw", "flights"]).uri
        's3://bucket/lake/raw/flights'
    """

    def __init__(
        self, root_uri: str, storage_options: Mapping[str, str] | None = None
    ) -> None:
        root = Location(_root(root_uri))
        given = dict(storage_options or {})
        options = given if root.is_local else with_defaults(given)
        self.root = Location(root.uri, tuple(sorted(options.items())))

    def __repr__(self) -> str:
        return f"Lake({self.root!r})"

    def table(self, key_path: Sequence[str]) -> Location:
        """Return the place of the table of an asset key.

        Raises:
            LocationError: A part of the key would leave the root, hide in this
                package's own directory, or break the engine.
        """
        if not key_path:
            msg = "an asset key without parts names no table below the root"
            raise LocationError(msg)
        for part in key_path:
            _check_part(part, key_path)
        uri = "/".join([self.root.uri.rstrip("/"), *key_path])
        return Location(uri, self.root.storage_options)


def open_table(location: Location, version: int | None = None) -> DeltaTable | None:
    """Open a table, or return None where there is none.

    Args:
        location: Where.
        version: The version to load; None is the newest.

    Raises:
        DeltaError: It is there but cannot be opened, or it lacks that version.
    """
    with delta_errors(location.uri, location.secrets):
        try:
            return DeltaTable(
                location.uri, version=version, storage_options=location.options
            )
        except TableNotFoundError as error:
            if not says_absent(error):
                raise
            return None


_CONTAINER_SCHEMES = frozenset({"abfs", "abfss", "wasb", "wasbs"})
"""Azure's addresses are `scheme://container@account`: their `@` hides no secret."""


def _root(uri: str) -> str:
    if not uri or "\0" in uri:
        raise LocationError(
            f"the root address {uri!r} is empty or has a NUL character; give a path "
            "such as 'data/lake', or an address such as 's3://bucket/lake'"
        )
    if "://" in uri and not uri.startswith("file://"):
        address = urlsplit(uri)
        if "@" in address.netloc and address.scheme not in _CONTAINER_SCHEMES:
            raise LocationError(
                f"the root address of {address.scheme}://…@{address.hostname} holds "
                "credentials, which would be shown wherever the address is; give them "
                "as storage_options"
            )
        if not address.netloc or address.query or address.fragment:
            shown = f"{address.scheme}://{address.netloc}{address.path}"
            raise LocationError(
                f"the root address {shown!r} names no bucket, or has a '?' or '#', "
                "which no object store reads as part of a name; write "
                f"{address.scheme}://bucket/path"
            )
        path = uri.rstrip("/")
        _check_root(uri, path)
        if not all(map(_is_name, path.partition("://")[2].split("/"))):
            raise LocationError(
                f"the root address {uri!r} has a part that is empty, '.' or '..', or "
                "begins or ends with a space; object stores read it as another address"
            )
        return path
    path = _local_root(uri).as_posix()
    _check_root(uri, path)
    return path


def _check_root(uri: str, path: str) -> None:
    if strange := sorted(_REFUSED_IN_PATHS.intersection(path)):
        raise LocationError(
            f"the root address {uri!r} has {strange}, on which the Delta engine "
            "fails; choose a directory without these characters, and write a space "
            "as a space"
        )


def _local_root(uri: str) -> Path:
    if not uri.startswith("file://"):
        return Path(uri).expanduser().absolute()
    address = urlsplit(uri)
    if address.netloc not in ("", "localhost"):
        raise LocationError(
            f"the root address {uri!r} names the host {address.netloc!r}; a local "
            f"address has three slashes: file:///{address.netloc}{address.path}"
        )
    return Path(unquote(address.path))


def _is_name(part: str) -> bool:
    # In a cloud address, a space at the end is cut off: two keys, one table.
    return part not in ("", ".", "..") and part == part.strip(" ")


def _check_part(part: str, key_path: Sequence[str]) -> None:
    if strange := sorted(_REFUSED_IN_KEYS.intersection(part)):
        reason = f"it has {strange}"
    elif not _is_name(part):
        reason = "it is no name of a directory"
    elif part.startswith(OWN_PREFIX):
        reason = f"names that start with {OWN_PREFIX!r} are this package's own"
    else:
        return
    raise LocationError(
        f"the part {part!r} of the asset key {list(key_path)!r} names no table: "
        f"{reason}. Any text is allowed except '', '.', '..', control characters, "
        rf"the characters / \ [ ] ^ | % ? #, spaces at either end and names that start "
        f"with {OWN_PREFIX!r}."
    )
