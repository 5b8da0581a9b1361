"""`dfsession replay`: run a recorded materialization again, and compare the rows."""

import click
import dagster as dg
from rich.text import Text

from dagster_dfsession.cli.options import json_option, materialization_options
from dagster_dfsession.cli.output import show, working
from dagster_dfsession.code_location import CodeLocation
from dagster_dfsession.replay.again import replay
from dagster_dfsession.replay.materialized import Materialized
from dagster_dfsession.replay.report import replay_report

DIFFERENT = 1


@click.command
@materialization_options
@json_option
def command(
    *,
    location: CodeLocation,
    made: Materialized,
    as_json: bool,
) -> None:
    """Run what ASSET was made of again, and compare with what was written.

    The session is built from the record, the inputs are read at the recorded versions,
    and what the run did to the table is done to a temporary one. The lake is only read.

    \b
    Exit status: 0 the rows are equal (floats up to their last digits), 1 they are
    different, 2 the materialization could not be replayed.

    \b
    Examples:
        dfsession replay busy_routes
        dfsession replay daily_delays --partition 2013-02-01
        dfsession replay busy_routes --run 1f3c --json
    """  # noqa: D301  # click's mark for a paragraph that stays as it is
    configured = location.session(dg.AssetKey(made.asset)).plan()
    with working(f"replaying {made}"):
        replayed = replay(made, location.lakes, configured=configured)
    report = Text(replay_report(replayed), overflow="fold")
    show(replayed, report, as_json=as_json)
    if replayed.rows.outcome == "different":
        raise click.exceptions.Exit(DIFFERENT)
