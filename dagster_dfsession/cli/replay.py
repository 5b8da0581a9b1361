"""`dfsession replay`: run a recorded materialization again, and compare the rows."""

import click
import dagster as dg
from rich.text import Text

from dagster_dfsession.cli.options import (
    instance_option,
    json_option,
    location_options,
)
from dagster_dfsession.cli.output import show, working
from dagster_dfsession.code_location import CodeLocation
from dagster_dfsession.history.materializations import find_materialized
from dagster_dfsession.replay.again import replay
from dagster_dfsession.replay.report import replay_report

DIFFERENT = 1


@click.command
@click.argument("asset")
@click.option("--run", "run_id", help="The run, or how its id begins.  [default: last]")
@click.option("--partition", help="A partition key.  [default: that of the last run]")
@location_options
@instance_option
@json_option
def command(
    *,
    location: CodeLocation,
    instance: dg.DagsterInstance,
    asset: str,
    run_id: str | None,
    partition: str | None,
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
    key = location.key(asset)
    made = find_materialized(instance, key, run_id=run_id, partition=partition)
    configured = location.session(key).plan()
    with working(f"replaying {made}"):
        replayed = replay(made, location.lakes, configured=configured)
    report = Text(replay_report(replayed), overflow="fold")
    show(replayed, report, as_json=as_json)
    if replayed.rows.outcome == "different":
        raise click.exceptions.Exit(DIFFERENT)
