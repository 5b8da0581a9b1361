"""`dfsession sessions`: which steps of this machine hold a session now."""

import datetime as dt

import click

from dagster_dfsession.cli.options import json_option
from dagster_dfsession.cli.output import show, table
from dagster_dfsession.pool.holders import (
    Holder,
    holders_directory,
    read_holders,
    remove_dead_holders,
)

SECOND = dt.timedelta(seconds=1)


@click.command
@click.option(
    "--prune", is_flag=True, help="Remove the entries of processes that are gone."
)
@json_option
def command(*, prune: bool, as_json: bool) -> None:
    """List the steps that hold a session now, on this machine.

    They are read below DAGSTER_HOME; without it, those are listed that run without
    it. A dead one is what a killed process left behind.

    \b
    Examples:
        dfsession sessions
        dfsession sessions --json | jq '.[] | select(.state == "dead")'
        dfsession sessions --prune
    """  # noqa: D301  # click's mark for a paragraph that stays as it is
    removed = remove_dead_holders() if prune else ()
    found = removed or read_holders()
    shown = table(
        "run", "step", "attempt", "profile", "for", "names", "process", "state"
    )
    for each in found:
        shown.add_row(*_row(each))
    shown.title = "removed" if removed else None
    nothing = f"No step holds a session, says {holders_directory()}."
    show(
        [each.described for each in found], shown if found else nothing, as_json=as_json
    )


def _row(holder: Holder) -> tuple[str, ...]:
    scope = holder.scope
    held = dt.datetime.now(dt.timezone.utc) - holder.since
    return (
        scope.run_id[:8],
        scope.step,
        str(scope.attempt),
        holder.profile,
        str(held // SECOND * SECOND),
        ", ".join(holder.names),
        f"{holder.pid} on {holder.host}",
        holder.state,
    )
