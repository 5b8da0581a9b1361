"""`dfsession explain`: how a query is run, or an asset."""

import contextlib
from pathlib import Path
from typing import get_args

import click
import dagster as dg

from dagster_dfsession.assets.asked import Asked, asked_query
from dagster_dfsession.cli.options import (
    dagster_home_option,
    json_option,
    location_options,
    opened_instance,
)
from dagster_dfsession.cli.output import show, working
from dagster_dfsession.code_location import CodeLocation
from dagster_dfsession.history.materializations import find_materialized
from dagster_dfsession.lake_session import Level
from dagster_dfsession.pool.explaining import explanation
from dagster_dfsession.replay.explained import explain_recorded


@click.command
@click.argument("query", required=False)
@click.option("--asset", help="Explain this asset, not a query.")
@click.option("--run", "run_id", help="The asset's run, or how its id begins.")
@click.option("--partition", help="A partition key of the asset.")
@click.option(
    "--level",
    type=click.Choice(get_args(Level)),
    default="plan",
    show_default=True,
    help="Show the plan only, or run it and show what each operator took.",
)
@location_options
@dagster_home_option
@json_option
def command(
    *,
    location: CodeLocation,
    dagster_home: Path | None,
    query: str | None,
    asset: str | None,
    run_id: str | None,
    partition: str | None,
    level: Level,
    as_json: bool,
) -> None:
    """Show the plan of QUERY over the tables of the assets, or that of an asset.

    The query of a SQL asset is planned over the newest tables. Of every other asset,
    and of a run, the recorded plan is shown; `--level analyze` runs it again over the
    recorded versions. Nothing is written.

    \b
    Examples:
        dfsession explain "SELECT count(*) FROM flights WHERE origin = 'JFK'"
        dfsession explain --asset busy_routes --level analyze
        dfsession explain --asset daily_delays --partition 2013-02-01
    """  # noqa: D301  # click's mark for a paragraph that stays as it is
    if (query is None) == (asset is None):
        raise click.UsageError("give a QUERY or --asset, and one of them")
    if query is not None and (run_id or partition):
        raise click.UsageError("--run and --partition are about an --asset")
    analyze = level == "analyze"
    with working("explaining"):
        if query is not None:
            said = _planned(location, None, Asked(query, {}), analyze=analyze)
        else:
            key = location.key(str(asset))
            definition = location.definitions.resolve_assets_def(key)
            asked = None if run_id else asked_query(definition, key, partition)
            if asked is not None:
                said = _planned(location, key, asked, analyze=analyze)
            else:
                with opened_instance(dagster_home) as instance:
                    made = find_materialized(
                        instance, key, run_id=run_id, partition=partition
                    )
                    said = explain_recorded(made, location.lakes, analyze=analyze)
    result = {"asset": asset, "query": query, "level": level, "plan": said}
    show(result, said, as_json=as_json)


def _planned(
    location: CodeLocation, key: dg.AssetKey | None, asked: Asked, *, analyze: bool
) -> str:
    with (
        contextlib.closing(location.queries(key)) as sessions,
        sessions.composed(asked.sql, asked.params, {}) as (frame, lease),
    ):
        return explanation(frame, lease, sessions.current.tables, analyze=analyze)
