"""What a table has beside its rows: properties and constraints."""

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from deltalake import DeltaTable

from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.maintained import existing_table
from dagster_dfsession.errors import DeltaError, did_you_mean, listing
from dagster_dfsession.profile.base import Frozen

_BOOL = "true|false"
_NUMBER = r"[1-9]\d*"
_INTERVAL = r"interval \d+ (second|minute|hour|day|week)s?"

PROPERTIES: Mapping[str, str] = MappingProxyType(
    {
        "delta.appendOnly": _BOOL,
        "delta.checkpointInterval": _NUMBER,
        "delta.dataSkippingNumIndexedCols": r"-1|\d+",
        "delta.dataSkippingStatsColumns": ".+",
        "delta.deletedFileRetentionDuration": _INTERVAL,
        "delta.enableChangeDataFeed": _BOOL,
        "delta.enableExpiredLogCleanup": _BOOL,
        "delta.isolationLevel": "Serializable|WriteSerializable|SnapshotIsolation",
        "delta.logRetentionDuration": _INTERVAL,
        "delta.setTransactionRetentionDuration": _INTERVAL,
        "delta.targetFileSize": _NUMBER,
    }
)
"""Properties that may be set, and what their values look like. deltalake itself takes
any value, and fails, or does nothing, when it comes to use it."""

CONSTRAINT = "delta.constraints."
"""What deltalake puts before the name of a constraint."""

_NAME = re.compile(r"[A-Za-z_]\w*")


class Declared(Frozen, frozen=True):
    """What a table is created with beside its columns.

    Attributes:
        properties: Such as `{"delta.appendOnly": "true"}`.
        constraints: Name -> what every row must satisfy, `{"positive": "x > 0"}`.
    """

    properties: dict[str, str] = msgspec.field(default_factory=dict)
    constraints: dict[str, str] = msgspec.field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.properties or self.constraints)


def check_declared(declared: Declared, table: str) -> None:
    """Refuse names that Delta Lake does not know and values that it cannot use.

    Raises:
        DeltaError: There is one.
    """
    for name, value in declared.properties.items():
        pattern = PROPERTIES.get(name)
        if pattern is None:
            raise DeltaError(
                f"{table}: {name!r} is no table property that can be set; there is "
                f"{listing(PROPERTIES)}.{did_you_mean(name, PROPERTIES)}"
            )
        if re.fullmatch(pattern, value) is None:
            raise DeltaError(
                f"{table}: the table property {name} = {value!r} is not of the form "
                f"{pattern}"
            )
    for name, expression in declared.constraints.items():
        if _NAME.fullmatch(name) is None or not expression.strip():
            raise DeltaError(
                f"{table}: the constraint {name!r}: {expression!r} needs a name of "
                "letters, digits and underscores, and an expression such as 'x > 0'"
            )


def set_properties(location: Location, properties: Mapping[str, str]) -> None:
    """Set properties of a table.

    Raises:
        DeltaError: There is no table, no such property, or no such value.
    """
    check_declared(Declared(properties=dict(properties)), location.uri)
    table = existing_table(location)
    with delta_errors(location.uri, location.secrets):
        table.alter.set_table_properties(dict(properties))


def apply_declared(table: DeltaTable, location: Location, declared: Declared) -> None:
    """Give a table what is declared of it and what it does not have.

    What was declared before, and no longer is, stays.

    Raises:
        DeltaError: A row breaks a constraint, or another constraint has its name.
    """
    held = table.metadata().configuration
    new = {k: v for k, v in declared.properties.items() if held.get(k) != v}
    if new:
        with delta_errors(location.uri, location.secrets):
            table.alter.set_table_properties(new)
    add_constraints(table, location, declared.constraints)


def add_constraint(location: Location, name: str, expression: str) -> None:
    """Demand something of every row that is and will be in a table.

    Args:
        location: The table.
        name: Of the constraint.
        expression: SQL over the table's columns, such as `arr_delay < 1440`.

    Raises:
        DeltaError: There is no table, a row breaks the constraint, another one has
            its name, or the engine cannot read the expression.
    """
    check_declared(Declared(constraints={name: expression}), location.uri)
    add_constraints(existing_table(location), location, {name: expression})


def add_constraints(
    table: DeltaTable, location: Location, constraints: Mapping[str, str]
) -> None:
    """Add those that the table does not have.

    Raises:
        DeltaError: As `add_constraint`.
    """
    for name, expression in constraints.items():
        held = table.metadata().configuration.get(f"{CONSTRAINT}{name}")
        if held == expression:
            continue
        if held is not None:
            raise DeltaError(
                f"{location}: the constraint {name!r} is {held!r}, not {expression!r}. "
                "Drop it first, or give this one another name."
            )
        with delta_errors(location.uri, location.secrets):
            table.alter.add_constraint({name: expression})


def drop_constraint(location: Location, name: str) -> None:
    """Demand something no longer.

    Raises:
        DeltaError: There is no table, or no such constraint.
    """
    table = existing_table(location)
    held = [
        key.removeprefix(CONSTRAINT)
        for key in table.metadata().configuration
        if key.startswith(CONSTRAINT)
    ]
    if name not in held:
        raise DeltaError(
            f"{location}: there is no constraint {name!r}; there is {listing(held)}."
            f"{did_you_mean(name, held)}"
        )
    with delta_errors(location.uri, location.secrets):
        table.alter.drop_constraint(name)
