"""`dfsession doctor`: is all there that a session needs?"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import click
from rich.table import Table
from rich.text import Text

from dagster_dfsession.cli.options import (
    dagster_home_option,
    json_option,
    location_options,
)
from dagster_dfsession.cli.output import show, spaced, table
from dagster_dfsession.code_location import CodeLocation
from dagster_dfsession.doctor import Diagnosis, Verdict, diagnose
from dagster_dfsession.session.features import FeatureState

_FOUND = 1
_COLOURS: Mapping[Verdict, str] = MappingProxyType(
    {"ok": "green", "warning": "yellow", "error": "red"}
)


@click.command
@click.argument("asset", required=False)
@dagster_home_option
@click.option("--read-only", is_flag=True, help="Do not try to write to the lakes.")
@location_options
@json_option
def command(
    *,
    location: CodeLocation,
    asset: str | None,
    dagster_home: Path | None,
    read_only: bool,
    as_json: bool,
) -> None:
    """Try whatever a run will need: engine, profile, spill space, lakes, Dagster.

    Writes a file of a few bytes to each lake and removes it. With several session
    resources, name an ASSET that uses the one you mean. The exit status is 1 if
    something was found that makes runs fail.

    \b
    Examples:
        dfsession doctor
        dfsession doctor --read-only --json | jq .features
    """  # noqa: D301  # click's mark for a paragraph that stays as it is
    resource = location.session(location.key(asset) if asset else None)
    found = diagnose(
        resource.plan(), location.lakes, dagster_home=dagster_home, write=not read_only
    )
    result = {
        "healthy": found.healthy,
        "findings": found.findings,
        "features": found.features,
        "capabilities": found.capabilities,
    }
    show(result, spaced(*_tables(found)), as_json=as_json)
    if not found.healthy:
        raise click.exceptions.Exit(_FOUND)


def _tables(found: Diagnosis) -> Iterator[Table]:
    findings = table("", "what", "found")
    for each in found.findings:
        verdict = Text(each.verdict, style=_COLOURS[each.verdict])
        findings.add_row(verdict, each.subject, each.said)
    yield findings
    features = table("feature", "engine can", "wanted", "in effect", "note")
    for state in found.features:
        features.add_row(state.feature, *_said(state), state.note)
    yield features
    engine = table("engine", "can", "what it said")
    for trial in found.capabilities:
        engine.add_row(trial.name, _yes(trial.there), trial.missing or "")
    yield engine


def _said(state: FeatureState) -> tuple[str, str, str]:
    return _yes(state.can), _yes(state.wanted), _yes(state.in_effect)


def _yes(value: object) -> str:
    return "yes" if value else "no"
