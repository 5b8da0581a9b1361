"""`dfsession record`: which session made an asset, and from what."""

import textwrap
from collections.abc import Iterator

import click
from rich.console import RenderableType
from rich.table import Table

from dagster_dfsession.cli.options import json_option, materialization_options
from dagster_dfsession.cli.output import pairs, show, spaced, table
from dagster_dfsession.code_location import CodeLocation
from dagster_dfsession.materialization.records import QueryRecord, SessionRecord
from dagster_dfsession.plan.classification import changes_results
from dagster_dfsession.replay.materialized import Materialized, read_record
from dagster_dfsession.session.engine_settings import default_settings
from dagster_dfsession.session.runtime import SessionRuntime

_DIGITS = 16


@click.command
@materialization_options
@json_option
def command(
    *,
    location: CodeLocation,
    made: Materialized,
    as_json: bool,
) -> None:
    """Show the session that made ASSET: settings, functions, inputs and plan.

    Settings are those unlike the engine's defaults. `--json` prints all of the record
    as it is kept beside the tables. Nothing is run.

    \b
    Examples:
        dfsession record busy_routes
        dfsession record daily_delays --partition 2013-02-01
        dfsession record busy_routes --run 1f3c --json | jq .record.session.settings
    """  # noqa: D301  # click's mark for a paragraph that stays as it is
    record = read_record(made, location.lakes)
    result = {"materialized": made, "record": record}
    show(result, spaced(*_parts(made, record)), as_json=as_json)


def _parts(made: Materialized, record: SessionRecord) -> Iterator[RenderableType]:
    session = record.session
    yield pairs(
        {
            "asset": str(made),
            "table": f"{made.uri}, version {made.version}",
            **_written(made, record),
            "session": session.session_hash,
            "profile": str(record.profile.get("name", "")),
            "engine": str(session.versions),
            "record": made.record,
        }
    )
    yield _settings(session)
    if session.functions.entries:
        yield _functions(session)
    if record.inputs:
        yield _inputs(record)
    if record.query is not None:
        yield from _query(record.query)
    if record.not_replayable:
        yield f"It cannot be replayed: {record.not_replayable}."


def _written(made: Materialized, record: SessionRecord) -> dict[str, str]:
    how = record.written
    rows = {} if made.rows is None else {"rows": f"{made.rows:,}"}
    if how is None:
        return rows
    keys = ", ".join(how.partition_keys)
    partitions = {"partitions": keys} if keys else {}
    return rows | partitions | {"written": f"{how.mode}, schema {how.schema_mode}"}


def _settings(session: SessionRuntime) -> RenderableType:
    defaults = default_settings()
    unlike = {
        key: value
        for key, value in session.settings.items()
        if value != defaults.get(key, "")
    }
    if not unlike:
        return "every setting is the engine's default"
    shown = table("setting", "value", "default", "changes results")
    for key, value in sorted(unlike.items()):
        matters = "yes" if changes_results(key) else "no"
        shown.add_row(key, value, defaults.get(key, ""), matters)
    return shown


def _functions(session: SessionRuntime) -> Table:
    shown = table("function", "kind", "signature", "volatility", "digest", "origin")
    for each in session.functions.entries:
        shown.add_row(
            each.name,
            each.kind,
            f"({', '.join(each.signature)}) -> {each.returns or '?'}",
            each.volatility,
            (each.digest or "none")[:_DIGITS],
            each.origin,
        )
    return shown


def _inputs(record: SessionRecord) -> Table:
    shown = table("input", "version", "files", "scan", "partitions", "data version")
    for each in record.inputs:
        version = str(each.version)
        if each.since is not None:
            version = f"changes after {each.since} to {version}"
        shown.add_row(
            each.table,
            version,
            str(each.files),
            each.scan,
            ", ".join(each.partitions) or "all",
            each.data_version[:_DIGITS],
        )
    return shown


def _query(query: QueryRecord) -> Iterator[RenderableType]:
    if query.statement is not None:
        sql = textwrap.dedent(query.statement.sql).strip()
        yield f"query, in the {query.statement.by}'s words\n{sql}"
        if query.statement.params:
            given = query.statement.params.items()
            yield pairs({f"${name}": each.text for name, each in given})
    yield f"plan {query.plan_hash}, run: {query.bound}\n{query.plan}"
    if query.variable:
        yield f"Its rows could differ if it ran again: {', '.join(query.variable)}."
