"""Which version of an upstream table an input is."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from dagster_dfsession.delta.location import Lake, open_table
from dagster_dfsession.delta.travel import version_at
from dagster_dfsession.errors import DeltaError
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.tables import OpenedTable

VERSION = "version"
TIMESTAMP = "timestamp"


def open_input(
    run: RunSession, lake: Lake, key: tuple[str, ...], wanted: Mapping[str, Any]
) -> OpenedTable | None:
    """Open an upstream table at the run's version, or at the one that was asked for.

    Args:
        run: Whose version counts; a moment means one of the versions up to it.
        lake: Where the upstream asset keeps its table.
        key: Of the upstream asset.
        wanted: The input's metadata: a `version`, or a `timestamp` with a time zone.

    Returns:
        The table, or None where there is none.

    Raises:
        DeltaError: There is no such version, or what was asked for names none.
    """
    asset = "/".join(key)
    version, moment = wanted.get(VERSION), wanted.get(TIMESTAMP)
    if version is not None and moment is not None:
        raise DeltaError(
            f"input {asset}: version {version!r} and timestamp {moment!r} were both "
            "given, and each names a version by itself; leave one of them out"
        )
    name, location = run.tables.name_of(key), lake.table(key)
    if version is None:
        opened = run.tables.find(name)
        # A name may stand for a table of another lake; a parameter never does.
        if opened is None or opened.location != location:
            pinned = run.tables.pins.open(lake, location)
            opened = (
                pinned if pinned is None else OpenedTable(name, key, location, pinned)
            )
        if opened is None or moment is None:
            return opened
        version = version_at(opened.delta, location, moment_of(moment, asset))
    elif not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise DeltaError(
            f"input {asset}: {version!r} is no version; versions are whole numbers "
            "from 0 on, and a time goes into 'timestamp'"
        )
    delta = open_table(location, version)
    return None if delta is None else OpenedTable(name, key, location, delta)


def moment_of(value: Any, asset: str) -> dt.datetime:
    """Return the moment that an input's metadata names.

    Args:
        value: A datetime or text of ISO 8601, either with a time zone, or seconds
            since 1970, as Dagster's timestamp metadata has them.
        asset: Name of the upstream asset, for messages.

    Raises:
        DeltaError: It is none of these.

    Examples:
        >>> moment_of("2013-01-01T00:00:00Z", "flights").isoformat()
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
            f"input {asset}: the timestamp {value!r} is no time of ISO 8601; write one "
            "such as '2013-01-01T00:00:00Z'"
        )
    if moment.tzinfo is None:
        raise DeltaError(
            f"input {asset}: the timestamp {value!r} has no time zone, so it names no "
            f"moment; write '{moment.isoformat()}Z' for UTC, or an offset such as "
            "+02:00"
        )
    return moment
