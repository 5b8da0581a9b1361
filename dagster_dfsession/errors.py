"""Every exception of this package.

DfSessionError
├── ProfileError               outside data is not a profile (also ValueError)
├── SessionError               a session could not be had
│   ├── EngineVersionError     this datafusion / deltalake pair does not work
│   ├── SettingError           the engine refused a setting (also ValueError)
│   ├── InstallError           a phase failed; the half-built session is dropped
│   └── SnapshotError          the built session could not be read back
├── FunctionError              a user function could not be declared, loaded or named
├── PoolError                  a session could not be borrowed or returned
│   └── PoolExhaustedError     all sessions of the pool are lent out
├── QueryError                 the engine refused or stopped a query
│   ├── SqlPolicyError         the SQL policy of the profile forbids the statement
│   ├── TableNotFoundError     a query names a table that is not there
│   ├── ColumnNotFoundError    a query names a column that is not there
│   ├── FunctionFailedError    a user function raised while the query ran
│   └── MemoryLimitError       the query needed more memory than the session has
├── DeltaError                 a Delta table could not be read or written
│   ├── LocationError          an asset key or address names no place for a table
│   ├── PartitionError         partition keys and partition columns do not fit
│   ├── SchemaMismatchError    the frame does not have the table's columns
│   ├── ContractError          rows or columns break what the asset promises
│   └── CommitError            Delta Lake refused the commit
├── UnsupportedTypeError       no handler for a type (also TypeError)
├── RecordError                a session record is missing or is not what it claims
└── CodeLocationError          a code location, or an asset of it, was not found

Each constructor takes the message alone, so every error survives pickling; facts
that a program may want are attributes, set by the class method that builds the text.
"""

import difflib
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from typing_extensions import Self


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant, or None.

    Examples:
        >>> nearest("prd", ["dev", "prod"])
        'prod'
        >>> nearest("x", ["dev", "prod"]) is None
        True
    """
    close = difflib.get_close_matches(word, list(known), n=1)
    return close[0] if close else None


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return `` Did you mean 'prod'?`` with a leading space, or nothing."""
    close = None if word in known else nearest(word, known)
    return f" Did you mean {close!r}?" if close else ""


def listing(words: Iterable[str], *, limit: int = 20) -> str:
    """Return the words sorted and bounded, for the end of a message.

    Examples:
        >>> listing(["b", "a"])
        'a, b'
        >>> listing([])
        'nothing'
    """
    ordered = sorted(words)
    more = f" and {len(ordered) - limit} more" if len(ordered) > limit else ""
    return ", ".join(ordered[:limit]) + more if ordered else "nothing"


class DfSessionError(Exception):
    """Anything this package raises on purpose."""


class ProfileError(DfSessionError, ValueError):
    """Data from outside, or a constructor's argument, is not a profile.

    Attributes:
        path: Where, as `$.execution.batch_size`; None if it is the whole.
    """

    path: str | None = None

    @classmethod
    def at(cls, path: str, reason: str) -> Self:
        """Say where in the profile and why."""
        error = cls(f"{path}: {reason}")
        error.path = path
        return error

    @classmethod
    def unknown_name(cls, what: str, name: str, known: Collection[str]) -> Self:
        """Say that a preset does not exist, and list those that do."""
        return cls(
            f"unknown {what} {name!r}; known: {listing(known)}."
            f"{did_you_mean(name, known)}"
        )


class SessionError(DfSessionError):
    """A session could not be had."""


class EngineVersionError(SessionError):
    """An engine is of a version that the others, or this package, do not know."""


class SettingError(SessionError, ValueError):
    """DataFusion refused a setting.

    Attributes:
        key: The setting, as the plan spells it.
        suggestion: The existing key closest to it; None if it exists as spelt.
    """

    key: str
    suggestion: str | None

    @classmethod
    def refused(
        cls, key: str, value: str, *, reason: str, known: Collection[str]
    ) -> Self:
        """Say what was set, why it failed, and which key was probably meant."""
        error = cls(
            f"{key} = {value!r} was refused: {reason}{did_you_mean(key, known)}"
        )
        error.key = key
        error.suggestion = None if key in known else nearest(key, known)
        return error


class InstallError(SessionError):
    """A phase failed; the session was dropped.

    Attributes:
        phase: The phase's name.
        item: What it was installing.
    """

    phase: str
    item: str

    @classmethod
    def during(cls, phase: str, item: str, reason: str) -> Self:
        """Say in which phase, on which item, and what was there instead."""
        error = cls(f"phase {phase!r} could not install {item!r}: {reason}")
        error.phase, error.item = phase, item
        return error


class SnapshotError(SessionError):
    """The built session could not be read back; no empty snapshot stands in for it."""


class FunctionError(DfSessionError):
    """A user function could not be declared, loaded or named."""


class PoolError(DfSessionError):
    """A session could not be borrowed or returned."""


class PoolExhaustedError(PoolError):
    """All sessions of the pool are lent out."""


class Place(NamedTuple):
    """A place in the text of a query, counted from 1."""

    line: int
    column: int


class QueryError(DfSessionError):
    """The engine refused or stopped a query.

    Attributes:
        kind: What is wrong, in a word; `engine`: only its text tells.
        places: Where in the query, first to last; empty: not known.
        table: As the query spells it; None: it is about none.
        name: Column, function, parameter or statement, likewise.
        suggestion: What was probably meant.
    """

    kind: str = "engine"
    places: tuple[Place, ...] = ()
    table: str | None = None
    name: str | None = None
    suggestion: str | None = None

    @property
    def line(self) -> int | None:
        """The line of the first place."""
        return next((place.line for place in self.places), None)

    @property
    def column(self) -> int | None:
        """The column of the first place."""
        return next((place.column for place in self.places), None)


class SqlPolicyError(QueryError):
    """The SQL policy of the profile forbids the statement."""

    kind = "policy"
    family: str = "statement"


class TableNotFoundError(QueryError):
    """A query names a table that is not there."""

    kind = "table"

    @classmethod
    def named(cls, table: str, known: Collection[str]) -> Self:
        """Name the table, what is there, and what was probably meant."""
        error = cls(
            f"table {table!r} was not found; there is {listing(known)}."
            f"{did_you_mean(table, known)} A table is found by its asset key "
            "('raw.flights' is the key raw/flights) once its asset was materialized,"
            " or by a name passed to sql(query, name=frame) or register(name, frame)."
        )
        error.table, error.suggestion = table, nearest(table, set(known) - {table})
        return error


class ColumnNotFoundError(QueryError):
    """A query names a column that is not there."""

    kind = "column"


class FunctionFailedError(QueryError):
    """A user function raised while the query ran."""


class MemoryLimitError(QueryError):
    """The query needed more memory than the session has."""

    kind = "memory"


class DeltaError(DfSessionError):
    """A Delta table could not be read or written."""


class LocationError(DeltaError, ValueError):
    """An asset key or an address names no place for a table."""


class PartitionError(DeltaError, ValueError):
    """Partition keys and partition columns do not fit."""


class SchemaMismatchError(DeltaError):
    """The frame does not have the table's columns."""


class BrokenRule(NamedTuple):
    """A rule of a contract that rows break.

    Attributes:
        rule: Its name: `not_null id`, `unique id`, or that of a check.
        rows: How many of the rows break it.
        examples: Some of these rows.
    """

    rule: str
    rows: int
    examples: tuple[dict[str, Any], ...]


class ContractError(DeltaError):
    """Rows or columns break what the asset promises, or the promise has no meaning.

    Attributes:
        asset: Whose contract; None: nobody said.
        broken: Every rule that rows broke; empty if it never came to rows.
    """

    asset: str | None = None
    broken: tuple[BrokenRule, ...] = ()


class CommitError(DeltaError):
    """Delta Lake refused the commit; the table is as it was."""


class UnsupportedTypeError(DfSessionError, TypeError):
    """No handler reads or writes this type."""


class RecordError(DfSessionError):
    """A session record is missing or is not what its name claims."""


class CodeLocationError(DfSessionError):
    """A code location could not be loaded, or has not what was asked for."""
