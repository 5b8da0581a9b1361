"""`dfsession fingerprint`: the hashes of the session that is configured now."""

import click
import msgspec

from dagster_dfsession.cli.options import json_option, location_options
from dagster_dfsession.cli.output import pairs, show, spaced
from dagster_dfsession.code_location import CodeLocation
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.plan.explain import explain_plan
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.runtime import SessionRuntime


@click.command
@click.argument("asset", required=False)
@click.option(
    "--plan", "with_plan", is_flag=True, help="Show settings and phases as well."
)
@location_options
@json_option
def command(
    *, location: CodeLocation, asset: str | None, with_plan: bool, as_json: bool
) -> None:
    """Print the hashes of the session that is configured now.

    They are those that a materialization records. With several session resources,
    name an ASSET that uses the one you mean.

    \b
    Examples:
        dfsession fingerprint
        dfsession fingerprint busy_routes --plan
        dfsession fingerprint --json | jq -r .session_hash
    """  # noqa: D301  # click's mark for a paragraph that stays as it is
    resource = location.session(location.key(asset) if asset else None)
    plan = resource.plan()
    with open_session(plan) as session:
        runtime = session.snapshot()
    hashes = _hashes(plan, runtime)
    parts = (pairs(hashes), explain_plan(plan)) if with_plan else (pairs(hashes),)
    settings = {each.key: each.value for each in plan.settings}
    result = hashes | ({"settings": settings} if with_plan else {})
    show(result, spaced(*parts), as_json=as_json)


def _hashes(plan: SessionPlan, runtime: SessionRuntime) -> dict[str, str]:
    return {
        "profile": plan.name,
        "session_hash": runtime.session_hash,
        "settings_hash": runtime.settings_hash,
        "result_settings_hash": runtime.result_settings_hash,
        "udf_snapshot_hash": runtime.udf_snapshot_hash,
        "profile_hash": runtime.profile_hash,
        **{
            f"version of {name}": str(version)
            for name, version in msgspec.to_builtins(runtime.versions).items()
        },
    }
