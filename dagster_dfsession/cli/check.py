"""`dfsession check`: does every asset fit the tables before it?"""

from typing import get_args

import click
import msgspec
from rich.console import Group

from dagster_dfsession.assets.graph import bootstrap_request, session_profiles
from dagster_dfsession.bootstrap.check import bootstrap_session
from dagster_dfsession.bootstrap.report import BootstrapItem, BootstrapReport, Fault
from dagster_dfsession.cli.options import json_option, location_options
from dagster_dfsession.cli.output import show, table, working
from dagster_dfsession.code_location import CodeLocation
from dagster_dfsession.errors import CodeLocationError, listing
from dagster_dfsession.profile.bootstrap import BootstrapMode
from dagster_dfsession.profile.session import SessionProfile

_FOUND = 1


@click.command
@click.option(
    "--mode",
    type=click.Choice(get_args(BootstrapMode)),
    help="Plan queries only, or run them over tables of no rows or one.  "
    "[default: bootstrap.mode of the profile]",
)
@click.option(
    "--all", "everything", is_flag=True, help="List the assets that fit, too."
)
@location_options
@json_option
def command(
    *,
    location: CodeLocation,
    mode: BootstrapMode | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Check that every asset fits the tables before it, without reading a row.

    SQL assets are planned one after the other, each over the columns that those before
    it make; contracts and existing tables are held against what would be written. Of
    assets made in Python, the columns are assumed that their tables have. With several
    session resources, each SQL asset is planned by its own. Nothing is written. The
    exit status is 1 if an asset does not fit.

    \b
    Examples:
        dfsession check
        dfsession check --mode one_row --json
    """  # noqa: D301  # click's mark for a paragraph that stays as it is
    profile = _profile(location, mode)
    if mode is not None:
        bootstrap = msgspec.structs.replace(profile.bootstrap, mode=mode)
        profile = msgspec.structs.replace(profile, bootstrap=bootstrap)
    request = bootstrap_request(location.definitions, profile.delta)
    with working("checking"):
        report = bootstrap_session(profile, request)
    show(
        {"success": report.success, "counts": report.counts, "items": report.items},
        _shown(report, report.items if everything else report.affected),
        as_json=as_json,
    )
    if not report.success:
        raise click.exceptions.Exit(_FOUND)


def _profile(location: CodeLocation, mode: BootstrapMode | None) -> SessionProfile:
    """Return what says how far to go; each SQL asset is planned by its own session."""
    profiles = session_profiles(location.definitions)
    modes = {name: each.bootstrap.mode for name, each in profiles.items()}
    if mode is None and len({*modes.values()}) > 1:
        told = listing(f"{name}: {each}" for name, each in modes.items())
        raise CodeLocationError(
            f"the session resources of {location.name} differ in bootstrap.mode "
            f"({told}), and a check has one: give --mode"
        )
    if not profiles:
        return location.session().plan().profile
    return next(iter(profiles.values()))


def _shown(report: BootstrapReport, items: tuple[BootstrapItem, ...]) -> Group:
    counted = ", ".join(f"{count} {status}" for status, count in report.counts.items())
    summary = f"{len(report.items)} assets: {counted or 'nothing to check'}"
    if not items:
        return Group(summary)
    shown = table("asset", "status", "where", "what")
    for each in items:
        where = "\n".join(map(_where, each.faults))
        shown.add_row(each.asset, each.status, where, each.message)
    return Group(shown, summary)


def _where(fault: Fault) -> str:
    places = ", ".join(f"{place.line}:{place.column}" for place in fault.places)
    meant = f" -> {fault.suggestion}" if fault.suggestion else ""
    return f"{places} {fault.name or ''}{meant}".strip()
