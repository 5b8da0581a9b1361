"""What is told of the work: one frozen struct for each kind of artifact and event."""

from typing import Literal

import msgspec


class Payload(msgspec.Struct, frozen=True):
    """The base of all payloads: plain values, no secret, no object of an engine."""


class PhaseTelemetry(msgspec.Struct, frozen=True, kw_only=True):
    """What one phase installed.

    Attributes:
        installed: How many things.
    """

    phase: str
    installed: int


class SessionTelemetry(Payload, frozen=True, kw_only=True):
    """What is told of a session; distinct from what is set and from what is hashed.

    Attributes:
        version: Of this payload.
        profile: The profile's name.
        profile_hash: What was asked for.
        plan_fingerprint: What was decided.
        datafusion: Version of the Python package; likewise `deltalake`.
        python: Version of Python.
        open_ms: Milliseconds that building the session took.
        memory_pool: Kind of the memory pool.
        memory_bytes: Its size; None: it has no limit.
        spills: Whether operators may write to disk.
        functions: User functions installed.
        registered: Tables registered in it now.
        leases: Borrowers that have it now.
        totals: What was counted so far, by the names of the metrics.
    """

    version: Literal[1] = 1
    profile: str
    profile_hash: str
    plan_fingerprint: str
    datafusion: str
    deltalake: str
    python: str
    open_ms: float
    phases: tuple[PhaseTelemetry, ...]
    memory_pool: str
    memory_bytes: int | None
    spills: bool
    functions: int
    registered: int
    leases: int
    totals: dict[str, int]


class MaterializationMade(Payload, frozen=True, kw_only=True):
    """What was written to the table of an asset, and at what cost.

    Attributes:
        asset: The asset key, joined by `/`.
        partitions: The partition keys of the run; empty: the asset has none.
        uri: Where the table is.
        version: The table's version that holds the rows.
        mode: How they were written.
        rows: Rows written; None: nobody counted them.
        bytes: Bytes of the files written.
        session_hash: Of the session that computed them.
        plan_hash: Of the query; None: the value did not come from the engine.
        data_version: Equal only where the rows are equal.
        already_committed: An earlier attempt had written; this one wrote nothing.
        rows_read: Rows that left the scans; None, as the next four: no query ran.
        elapsed_ms: Milliseconds of computing and writing together.
    """

    asset: str
    partitions: tuple[str, ...]
    uri: str
    version: int
    mode: str
    rows: int | None
    bytes: int
    session_hash: str
    plan_hash: str | None
    data_version: str
    already_committed: bool
    rows_read: int | None
    bytes_scanned: int | None
    files_read: int | None
    spilled_bytes: int | None
    peak_memory_bytes: int | None
    elapsed_ms: float


class QueryRead(Payload, frozen=True, kw_only=True):
    """A query whose rows somebody read, to their end or not.

    Attributes:
        statement: Its text; None: the profile keeps it back.
        rows: Rows handed out.
        elapsed_ms: Milliseconds between the first batch asked for and the last.
    """

    statement: str | None
    rows: int
    rows_read: int
    bytes_scanned: int
    files_read: int
    spilled_bytes: int
    elapsed_ms: float


class WorkFailed(Payload, frozen=True, kw_only=True):
    """Work that ended with an error.

    Attributes:
        doing: What was being done.
        error: The class of the error.
        message: What it says; secrets are masked, and so is a query that it quotes
            where the profile keeps the text of queries back.
    """

    doing: str
    error: str
    message: str


class LeaseEnded(Payload, frozen=True, kw_only=True):
    """A borrower gave the session back.

    Attributes:
        prefix: What the names began with that it registered.
        registered: Those names, less the prefix.
        held_ms: Milliseconds that it had the session.
    """

    prefix: str
    registered: tuple[str, ...]
    held_ms: float


class SessionClosed(Payload, frozen=True, kw_only=True):
    """The session of a run is gone.

    Attributes:
        profile: The profile's name.
        totals: What was counted in all, by the names of the metrics.
    """

    profile: str
    totals: dict[str, int]
