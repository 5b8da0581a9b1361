"""`dfsession diff`: what two runs made differently."""

import click
import dagster as dg
from rich.text import Text

from dagster_dfsession.cli.options import (
    instance_option,
    json_option,
    location_options,
)
from dagster_dfsession.cli.output import show
from dagster_dfsession.code_location import CodeLocation
from dagster_dfsession.history.differences import run_difference

DIFFERENT = 1


@click.command
@click.argument("run_a")
@click.argument("run_b")
@location_options
@instance_option
@json_option
def command(
    *,
    location: CodeLocation,
    instance: dg.DagsterInstance,
    run_a: str,
    run_b: str,
    as_json: bool,
) -> None:
    """Show for each asset what RUN_B did differently from RUN_A.

    That is settings, functions with what changed in their text, plan, versions of the
    inputs, rows. Ids of runs may be cut short. Nothing is run.

    \b
    Exit status: 0 nothing is different but the versions of the tables, 1 something is,
    2 a run is not there or recorded nothing.

    \b
    Examples:
        dfsession diff 1f3c 8a20
        dfsession diff 1f3c 8a20 --json
    """  # noqa: D301  # click's mark for a paragraph that stays as it is
    found = run_difference(instance, run_a, run_b, location.lakes)
    show(found, Text(str(found), overflow="fold"), as_json=as_json)
    if not found.is_empty:
        raise click.exceptions.Exit(DIFFERENT)
