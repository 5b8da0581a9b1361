"""The tables of a materialization's metadata: inputs, settings, functions."""

from collections.abc import Mapping, Sequence

import dagster as dg

from dagster_dfsession.display import bounded, table_of
from dagster_dfsession.materialization.records import InputRecord
from dagster_dfsession.plan.classification import changes_results, hashed_settings
from dagster_dfsession.session.engine_settings import default_settings
from dagster_dfsession.session.runtime import SessionRuntime

VALUE_CHARS = 32


def inputs_table(
    inputs: Sequence[InputRecord], files_read: Mapping[str, int]
) -> dg.TableMetadataValue:
    """Return the tables that were read, at which version, and how.

    Args:
        inputs: The tables.
        files_read: Table -> data files that the scans opened.
    """
    rows = (
        {
            "table": bounded(each.table, 60),
            "version": each.version,
            "files read / total": f"{files_read.get(each.table, '-')} / {each.files}",
            "scan": bounded(each.scan, 80),
            "partitions": bounded(", ".join(each.partitions), 60),
            "uri": bounded(each.uri, 120),
        }
        for each in inputs
    )
    columns = ("table", "version", "files read / total", "scan", "partitions", "uri")
    return table_of(rows, columns)


def settings_table(session: SessionRuntime) -> dg.TableMetadataValue:
    """Return the effective settings that are not the engine's defaults."""
    defaults = default_settings()
    rows = (
        {
            "key": key.removeprefix("datafusion."),
            "value": bounded(value, VALUE_CHARS),
            "default": bounded(defaults.get(key, ""), VALUE_CHARS),
            "changes results": changes_results(key),
        }
        for key, value in hashed_settings(session.settings).items()
        if value != defaults.get(key)
    )
    return table_of(rows, ("key", "value", "default", "changes results"))


def udfs_table(session: SessionRuntime) -> dg.TableMetadataValue:
    """Return the user functions of a session."""
    rows = (
        {
            "name": bounded(entry.name, 60),
            "kind": entry.kind,
            "signature": bounded(
                f"({', '.join(entry.signature)}) -> {entry.returns}", 80
            ),
            "volatility": entry.volatility,
            "digest": (entry.digest or "none")[:12],
            "origin": bounded(entry.origin, 60),
        }
        for entry in session.functions.entries
    )
    columns = ("name", "kind", "signature", "volatility", "digest", "origin")
    # What the columns of an empty table are called takes a tenth of all metadata.
    return table_of(rows, columns if session.functions.entries else columns[:1])
