"""The long form of a materialization's session, kept beside the lake."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
import pyarrow as pa

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.merges import Merge
from dagster_dfsession.delta.modes import SchemaMode, WriteMode
from dagster_dfsession.delta.partitions import PartitionRequest
from dagster_dfsession.errors import RecordError
from dagster_dfsession.plan.classification import hashed_settings
from dagster_dfsession.pool.inputs import Narrowing
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.query.lineage import Lineage
from dagster_dfsession.session.extensions import ExtensionEntry
from dagster_dfsession.session.functions.snapshot import FunctionEntry
from dagster_dfsession.session.rules import Rules, engine_rules
from dagster_dfsession.session.runtime import SessionRuntime

RECORD_VERSION: Literal[2] = 2
RECORDS = "_dfsession/records"
SUFFIX = ".json.zst"
DIGEST_DIGITS = 16
STATEMENT_UNKNOWN = "its record is of a release that kept no statements"


class InputRecord(Frozen, frozen=True):
    """A table that a query read.

    Attributes:
        table: Its name in SQL.
        partitions: The partition keys that were read; empty: the whole table.
        data_version: What its content is called; see `dfsession.data_version`.
        scan: How it was read: `native scan`, or `engine provider` and why; empty: not
            by a query.
        key: The asset key; empty in records of version 1.
        since: Only what changed after this version was read, -1: all rows as changes;
            None: the table itself.
        narrowing: What of it the step was given; None: its query named the table.
    """

    table: str
    uri: str
    version: int
    partitions: tuple[str, ...]
    data_version: str
    files: int
    scan: str = ""
    key: tuple[str, ...] = ()
    since: int | None = None
    narrowing: Narrowing | None = None


class Parameter(Frozen, frozen=True):
    """A value that a statement was given.

    Attributes:
        text: For people.
        arrow: An Arrow stream of one row and one column.
    """

    text: str
    arrow: bytes


class StatementRecord(Frozen, frozen=True):
    """A query that can be planned again.

    Attributes:
        params: Values by name.
        by: Whose SQL it is: its `author`'s, over the inputs as the step was given them,
            or the `engine`'s for a frame made by calls, over whole tables.
        plan_hash: Of what it plans as.
    """

    sql: str
    params: dict[str, Parameter]
    by: Literal["author", "engine"]
    plan_hash: str


class QueryRecord(Frozen, frozen=True):
    """The query behind a materialization, if it was one.

    Attributes:
        plan: The optimized plan over named tables.
        variable: Why running it again could give something else; empty if nothing.
        bound: How it was run: `native scans`, or `as composed` and why.
        statement: None: there is none that plans as the same query again.
        lineage: Where its columns come from; None in records of earlier releases.
    """

    plan_hash: str
    plan: str
    functions: tuple[str, ...]
    variable: tuple[str, ...]
    bound: str
    statement: StatementRecord | None = None
    lineage: Lineage | None = None


class WriteRecord(Frozen, frozen=True):
    """How rows were written: as `Target`, without the place.

    Attributes:
        partition_keys: Those of the run.
        sort_by: Columns that its rows were sorted by in their files.
    """

    key: tuple[str, ...]
    mode: WriteMode
    schema_mode: SchemaMode
    merge: Merge | None = None
    partitions: PartitionRequest | None = None
    partition_keys: tuple[str, ...] = ()
    partition_by: tuple[str, ...] | None = None
    sort_by: tuple[str, ...] = ()


class SessionRecord(Frozen, frozen=True, kw_only=True):
    """Which session made a table, from what, and how it was asked for.

    It holds no secret, no time and no run: equal sessions, queries and inputs have
    one record.

    Attributes:
        profile: The profile, as `parse_profile` reads it.
        query: None: the value did not come from the engine.
        written: None in records of version 1.
        sources: Function -> its text, where Python has it. The digest of a function
            covers what it calls as well.
        not_replayable: Why nobody can run it again; empty: one can.
    """

    version: Literal[1, 2] = RECORD_VERSION
    session: SessionRuntime
    profile: dict[str, object]
    query: QueryRecord | None
    inputs: tuple[InputRecord, ...]
    written: WriteRecord | None = None
    sources: dict[str, str] = msgspec.field(default_factory=dict)
    not_replayable: str = STATEMENT_UNKNOWN


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
                f"record {path!r} is of another version than 1 and {RECORD_VERSION}: "
                f"{error}"
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
    yield {f"extension {each.path}": _extension(each) for each in session.extensions}
    yield _rules(session.rules)
    yield {
        f"hook {each.event} {each.path}": _digest(each.digest) for each in session.hooks
    }
    yield _named("version of", msgspec.to_builtins(session.versions))
    yield {"profile": session.profile_hash}


def _extension(entry: ExtensionEntry) -> str:
    if entry.unavailable is not None:
        return f"unavailable: {entry.unavailable}"
    return (
        f"{entry.name} {entry.version} for DataFusion {entry.engine_major} "
        f"{_digest(entry.digest)} ({', '.join(entry.ports)})"
    )


def _rules(rules: Rules) -> dict[str, str]:
    """Return the logical rules that are left out, and what all of them come to."""
    known = set() if rules == Rules() else {*engine_rules().logical}
    return {
        **{f"rule {name}": "left out" for name in known - {*rules.logical}},
        "rules": _digest(rules.digest),
    }


def _digest(digest: str | None) -> str:
    return (digest or "no digest")[:DIGEST_DIGITS]


def _function(entry: FunctionEntry) -> str:
    digest = _digest(entry.digest)
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
