"""Which version of an upstream table an input is."""

from collections.abc import Mapping
from typing import Any

from dagster_dfsession.delta.location import Lake, open_table
from dagster_dfsession.delta.travel import version_at
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.tables import OpenedTable
from dagster_dfsession.pool.versions import moment_of, stated_version

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
    what = f"input {'/'.join(key)}"
    moment = wanted.get(TIMESTAMP)
    version = stated_version(wanted.get(VERSION), moment, what)
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
        version = version_at(opened.delta, location, moment_of(moment, what))
    delta = open_table(location, version)
    return None if delta is None else OpenedTable(name, key, location, delta)
