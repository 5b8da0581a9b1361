"""`dfsession janitor`: remove what crashed runs left behind."""

import datetime as dt

import click
import dagster as dg
import msgspec
from rich.console import Group

from dagster_dfsession.cli.options import (
    instance_option,
    json_option,
    location_options,
)
from dagster_dfsession.cli.output import show, table
from dagster_dfsession.code_location import CodeLocation
from dagster_dfsession.janitor import clean_up, spill_directory


@click.command
@click.argument("assets", nargs=-1)
@click.option(
    "--older-than",
    "hours",
    type=click.FloatRange(min=0),
    default=24.0,
    show_default=True,
    help="Hours; whatever was written to more recently is left alone.",
)
@click.option("--write", is_flag=True, help="Do it. Otherwise only say what would be.")
@instance_option
@location_options
@json_option
def command(
    *,
    location: CodeLocation,
    instance: dg.DagsterInstance,
    assets: tuple[str, ...],
    hours: float,
    write: bool,
    as_json: bool,
) -> None:
    """Remove what runs left behind that are over, and processes that were killed.

    Spill directories, pinned versions, entries of `dfsession sessions`. With ASSETS,
    also data files of their tables that no version names. Without --write, say what
    would be removed.

    \b
    Examples:
        dfsession janitor
        dfsession janitor flights --older-than 48 --write
    """  # noqa: D301  # click's mark for a paragraph that stays as it is
    keys = [location.key(each) for each in assets]
    done = clean_up(
        instance,
        lakes=location.lakes,
        spill_directory=spill_directory(location.session().plan()),
        tables=[(location.lake(key), key) for key in keys],
        older_than=dt.timedelta(hours=hours),
        dry_run=not write,
    )
    found = table("what", "run", "bytes", "last written", "where")
    for each in done.leftovers:
        modified = each.modified.isoformat(" ", "seconds")
        found.add_row(each.kind, each.run, f"{each.bytes:,}", modified, each.path)
    for asset, result in done.orphans.items():
        for path in result.files:
            found.add_row("orphan", "", "", "", f"{asset}: {path}")
    shown = Group(found, str(done)) if found.row_count else str(done)
    show(msgspec.to_builtins(done), shown, as_json=as_json)
