"""Tables as they were: at a version, or at the version of a moment."""

import datetime as dt
from typing import Any

from datafusion import DataFrame

from dagster_dfsession.delta.location import open_table
from dagster_dfsession.delta.travel import version_at
from dagster_dfsession.errors import DeltaError
from dagster_dfsession.pool.inputs import Narrowing
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.tables import OpenedTable, RunTables


def table_as_of(
    name: str, lease: Lease, tables: RunTables, *, version: Any, timestamp: Any
) -> DataFrame:
    """Return the whole table of an asset as it was, and note it as an input.

    In plans, records and this lease's queries it is called `flights@3` from here on:
    the plain name keeps its meaning, and several versions can be told apart.

    Args:
        name: The table, as queries call it.
        lease: That of the step.
        tables: The tables of the run; a moment means one of the versions up to the
            run's own.
        version: A whole number; None: a moment is given.
        timestamp: As `moment_of` takes it; None: a version is given.

    Raises:
        TableNotFoundError: There is no such table.
        DeltaError: It is no asset's, has no such version, or none was named.
    """
    what, plain = f"table {name}", lease.named(name)
    stated = stated_version(version, timestamp, what)
    current = tables.find(plain)
    if current is None:
        lease.table(name)
        raise DeltaError(
            f"{what}: only the table of an asset has versions; this one was registered"
        )
    location = current.location
    if stated is None:
        stated = version_at(current.delta, location, moment_of(timestamp, what))
    (schema, table), (*prefix, last) = plain, current.key
    own = (schema, f"{table}@{stated}")
    if own in lease.loaded:
        opened = lease.loaded[own].opened
    else:
        delta = open_table(location, stated)
        if delta is None:
            raise DeltaError(f"{what}: the table is gone since the run has opened it")
        opened = OpenedTable(own, (*prefix, f"{last}@{stated}"), location, delta)
    return lease.load(opened, None, Narrowing()).alias(table)


def stated_version(version: Any, moment: Any, what: str) -> int | None:
    """Return the version that is asked for; None: a moment is, if anything.

    Raises:
        DeltaError: Both are, or the version is no whole number from 0 on.

    Examples:
        >>> stated_version(3, None, "input flights")
        3
    """
    if version is not None and moment is not None:
        raise DeltaError(
            f"{what}: version {version!r} and timestamp {moment!r} were both "
            "given, and each names a version by itself; leave one of them out"
        )
    if version is None:
        return None
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise DeltaError(
            f"{what}: {version!r} is no version; versions are whole numbers from 0 on, "
            "and a time goes into 'timestamp'"
        )
    return version


def moment_of(value: Any, what: str) -> dt.datetime:
    """Return the moment that a value names.

    Args:
        value: A datetime or text of ISO 8601, either with a time zone, or seconds
            since 1970, as Dagster's timestamp metadata has them.
        what: What is to be read as it was then, for messages.

    Raises:
        DeltaError: It is none of these.

    Examples:
        >>> moment_of("2013-01-01T00:00:00Z", "input flights").isoformat()
        '2013-01-01T00:00:00+00:00'
    """
    moment = value
    if isinstance(value, float):
        moment = dt.datetime.fromtimestamp(value, dt.timezone.utc)
    elif isinstance(value, str):
        # Python 3.10 reads no Z.
        plain = f"{value[:-1]}+00:00" if value.endswith(("Z", "z")) else value
        try:
            moment = dt.datetime.fromisoformat(plain)
        except ValueError:
            moment = None
    if not isinstance(moment, dt.datetime):
        raise DeltaError(
            f"{what}: the timestamp {value!r} is no time of ISO 8601; write one "
            "such as '2013-01-01T00:00:00Z'"
        )
    if moment.tzinfo is None:
        raise DeltaError(
            f"{what}: the timestamp {value!r} has no time zone, so it names no "
            f"moment; write '{moment.isoformat()}Z' for UTC, or an offset such as "
            "+02:00"
        )
    return moment
