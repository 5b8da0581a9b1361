"""`dfsession maintain`: compact, vacuum and clean the tables of assets."""

import itertools
from typing import Any, get_args

import click
import msgspec

from dagster_dfsession.cli.options import json_option, location_options
from dagster_dfsession.cli.output import one_by_one, show, table
from dagster_dfsession.code_location import CodeLocation
from dagster_dfsession.delta.events import maintain_events
from dagster_dfsession.delta.maintained import MaintenanceResult
from dagster_dfsession.materialization.replayable import maintain_table
from dagster_dfsession.profile.maintenance import (
    STEPS,
    MaintenancePolicy,
    Replayable,
    Step,
)


@click.command
@click.argument("assets", nargs=-1)
@click.option(
    "--step",
    "steps",
    multiple=True,
    type=click.Choice(get_args(Step)),
    help="Do only this; may be given several times.  [default: every step]",
)
@click.option("--z-order-by", multiple=True, help="Column to cluster the rows by.")
@click.option(
    "--retain-hours",
    type=click.IntRange(min=0),
    default=MaintenancePolicy().retain_hours,
    show_default=True,
    help="Vacuum leaves files that were in the table this recently.",
)
@click.option(
    "--replayable",
    type=click.Choice(get_args(Replayable)),
    default=MaintenancePolicy().replayable,
    show_default=True,
    help="What vacuum does about files that a replay needs.",
)
@click.option(
    "--events", is_flag=True, help="Also the table dfsession.events of each lake."
)
@click.option("--write", is_flag=True, help="Do it. Otherwise only say what would be.")
@location_options
@json_option
def command(
    *,
    location: CodeLocation,
    assets: tuple[str, ...],
    steps: tuple[Step, ...],
    write: bool,
    as_json: bool,
    **policy: Any,
) -> None:
    """Maintain the tables of ASSETS; without --write, say what would be done.

    \b
    Examples:
        dfsession maintain flights weather
        dfsession maintain flights --step optimize --z-order-by origin --write
        dfsession maintain flights --step vacuum --replayable keep --write
        dfsession maintain --events --write
    """  # noqa: D301  # click's mark for a paragraph that stays as it is
    asked = MaintenancePolicy(steps=steps or STEPS, dry_run=not write, **policy)
    if not assets and not asked.events:
        raise click.UsageError("name the ASSETS whose tables to maintain, or --events")
    keys = [location.key(each) for each in assets]
    done = {
        key.to_user_string(): maintain_table(location.lake(key), key.path, asked)
        for key in one_by_one(keys, "maintaining")
    }
    for lake in location.lakes if asked.events else ():
        done[f"dfsession.events of {lake.root.uri}"] = maintain_events(lake, asked)
    shown = table("asset", "step", "version", "what", "note")
    shown.title = _title(write=write)
    for asset, results in done.items():
        for each in results:
            shown.add_row(asset, each.step, str(each.version), _what(each), each.note)
    show(
        {asset: msgspec.to_builtins(each) for asset, each in done.items()},
        shown,
        as_json=as_json,
    )


def _title(*, write: bool) -> str:
    return "done" if write else "what would be done; --write does it"


def _what(result: MaintenanceResult) -> str:
    counted = (f"{name} {count:,}" for name, count in result.metrics.items() if count)
    told = ", ".join(itertools.islice(counted, 6))
    return told or ("" if result.note else "nothing")
