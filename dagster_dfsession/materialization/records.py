"""The long form of a materialization's session, kept beside the lake."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
import pyarrow as pa

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.errors import RecordError
from dagster_dfsession.plan.classification import hashed_settings
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.session.functions.snapshot import FunctionEntry
from dagster_dfsession.session.runtime import SessionRuntime

RECORD_VERSION: Literal[1] = 1
RECORDS = "_dfsession/records"
SUFFIX = ".json.zst"
DIGEST_DIGITS = 16


class InputRecord(Frozen, frozen=True):
    """A table that a query read.

    Attributes:
        table: Its name in SQL.
        partitions: The partition keys that were read; empty: the whole table.
        data_version: What its content is called; see `dfsession.data_version`.
        scan: How it was read: `native scan`, or `engine provider` and why; empty: not
            by a query.
    """

    table: str
    uri: str
    version: int
    partitions: tuple[str, ...]
    data_version: str
    files: int
    scan: str = ""


class QueryRecord(Frozen, frozen=True):
    """The query behind a materialization, if it was one.

    Attributes:
        plan: The optimized plan over named tables.
        variable: Why running it again could give something else; empty if nothing.
        bound: How it was run: `native scans`, or `as composed` and why.
    """

    plan_hash: str
    plan: str
    functions: tuple[str, ...]
    variable: tuple[str, ...]
    bound: str


class SessionRecord(Frozen, frozen=True, kw_only=True):
    """Which session made a table, from what, and how it was asked for.

    It holds no secret, no time and no run: equal sessions, queries and inputs have
    one record.

    Attributes:
        profile: The profile, as `parse_profile` reads it.
        query: None: the value did not come from the engine.
    """

    version: Literal[1] = RECORD_VERSION
    session: SessionRuntime
    profile: dict[str, object]
    query: QueryRecord | None
    inputs: tuple[InputRecord, ...]


class RecordStore:
    """Records by the SHA-256 of their content, as compressed JSON."""

    def __init__(self, files: LakeFiles) -> None:
        """Keep records below the root of `files`."""
        self._files = files

    def put(self, record: SessionRecord) -> str:
        """Write a record if it is not there; return its path below the root.

        Raises:
            DeltaError: The storage refused.
        """
        data = msgspec.json.encode(msgspec.to_builtins(record), order="deterministic")
        path = f"{RECORDS}/{hashlib.sha256(data).hexdigest()}{SUFFIX}"
        self._files.write_if_absent(path, _compressed(data))
        return path

    def get(self, path: str) -> SessionRecord:
        """Read a record.

        Raises:
            RecordError: It is not there, is not what its name says, or is of a
                version that this release does not read.
        """
        data = self._files.read(path)
        if data is None:
            raise RecordError(
                f"there is no record {path!r}; it may have been cleaned up"
            )
        try:
            plain = pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
        except OSError as error:
            raise RecordError(
                f"record {path!r} cannot be decompressed: {error}"
            ) from error
        found = hashlib.sha256(plain).hexdigest()
        if found != path.removeprefix(f"{RECORDS}/").removesuffix(SUFFIX):
            raise RecordError(
                f"record {path!r} has the content of {found}: it was changed"
            )
        try:
            return msgspec.json.decode(plain, type=SessionRecord)
        except msgspec.DecodeError as error:
            raise RecordError(
                f"record {path!r} is of another version than {RECORD_VERSION}: {error}"
            ) from None


class Change(Frozen, frozen=True):
    """One thing that two sessions do not have in common; None: one has it not."""

    what: str
    before: str | None
    after: str | None


def session_changes(
    before: SessionRuntime, after: SessionRuntime
) -> tuple[Change, ...]:
    """Return what differs between two sessions, settings first, each kind sorted.

    Sessions of different hashes differ in something named here.

    Examples:
        >>> from dagster_dfsession import SessionProfile, open_session, plan_session
        >>> with open_session(plan_session(SessionProfile(name="dev"))) as session:
        ...     now = session.snapshot()
        >>> session_changes(now, now)
        ()
    """
    return tuple(
        Change(what=what, before=left.get(what), after=right.get(what))
        for left, right in zip(_parts(before), _parts(after), strict=True)
        for what in sorted({*left, *right})
        if left.get(what) != right.get(what)
    )


def _parts(session: SessionRuntime) -> Iterator[Mapping[str, str]]:
    yield hashed_settings(session.settings)
    yield _named("runtime", msgspec.to_builtins(session.runtime_env))
    yield {
        f"function {entry.name}": _function(entry)
        for entry in session.functions.entries
    } | {"built-in functions": session.functions.builtins_digest}
    yield _named("version of", msgspec.to_builtins(session.versions))
    yield {"profile": session.profile_hash}


def _function(entry: FunctionEntry) -> str:
    digest = (entry.digest or "no digest")[:DIGEST_DIGITS]
    arguments = ", ".join(entry.signature)
    aliases = f" alias {', '.join(entry.aliases)}" if entry.aliases else ""
    return (
        f"{entry.volatility} {entry.kind} {digest} "
        f"({arguments}) -> {entry.returns or '?'} of {entry.origin}{aliases}"
    )


def _named(what: str, fields: Mapping[str, object]) -> dict[str, str]:
    return {f"{what} {name}": str(value) for name, value in fields.items()}


def _compressed(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())
