"""Asset checks that plan an asset over the columns of those before it."""

from collections.abc import Iterator

import dagster as dg

from dagster_dfsession.checks.building import (
    Assets,
    Judge,
    Verdict,
    asset_specs,
    checks_over,
    resources_of,
    stored_by,
)
from dagster_dfsession.display import table_of
from dagster_dfsession.errors import CodeLocationError, listing
from dagster_dfsession.metadata.keys import FAULTS

NAME = "plans"


def build_plan_checks(
    assets: Assets,
    *,
    blocking: bool = False,
    io_manager_key: str = "io_manager",
) -> list[dg.AssetChecksDefinition]:
    """Return a check for each asset: does it fit the tables before it?

    A check plans its asset, and those before it, over the columns of their contracts
    and tables, as `dfsession check` does; no row is read and nothing is written.

    Args:
        assets: All of the code location: what is not among them is known by its table
            alone.
        blocking: Whether what is downstream in a run waits for the check, and does not
            run if it failed.
        io_manager_key: The resource that is the `DataFusionDeltaIOManager`.

    Raises:
        UnsupportedTypeError: One of the assets is no asset.

    Examples:
        >>> from dagster_dfsession import sql_asset
        >>> busy = sql_asset(name="busy", sql="SELECT dest FROM flights")
        >>> [checks] = build_plan_checks([busy])
        >>> [key.to_user_string() for key in checks.check_keys]
        ['busy:plans']
    """
    given = list(assets)
    specs = asset_specs(given, "build_plan_checks")

    def judging(context: dg.AssetCheckExecutionContext) -> Judge:
        # The engine is imported here: a code server has no use for it.
        from dagster_dfsession.assets.graph import bootstrap_request  # noqa: PLC0415
        from dagster_dfsession.bootstrap.check import (  # noqa: PLC0415
            bootstrap_session,
        )
        from dagster_dfsession.bootstrap.report import HARMLESS  # noqa: PLC0415

        manager = stored_by(context, io_manager_key)
        profile = manager.working_session.plan().profile
        definitions = dg.Definitions(assets=given, resources={**resources_of(context)})
        report = bootstrap_session(
            profile, bootstrap_request(definitions, profile.delta)
        )
        items = {each.asset: each for each in report.items}

        def judge(key: dg.AssetKey) -> Verdict:
            item = items.get(key.to_user_string())
            if item is None:
                raise CodeLocationError(
                    f"{key.to_user_string()} was not planned; there is {listing(items)}"
                )
            rows = [
                {
                    "name": fault.name or "",
                    "where": ", ".join(f"{p.line}:{p.column}" for p in fault.places),
                    "meant": fault.suggestion or "",
                }
                for fault in item.faults
            ]
            return Verdict(
                passed=item.status in HARMLESS,
                description=item.message or _SAID[item.status],
                metadata={FAULTS: table_of(rows, ("name", "where", "meant"))}
                if rows
                else {},
            )

        return judge

    return checks_over(
        NAME,
        specs,
        judging,
        description="Whether the asset fits the tables before it, over no rows.",
        blocking=blocking,
        resources={io_manager_key, *_needed(given)},
    )


_SAID = {
    "ok": "It plans, and fits.",
    "assumed": "Its columns were taken from its contract or its table.",
    "unknown": "Nobody knows its columns: it has no contract and no table.",
}


def _needed(assets: Assets) -> Iterator[str]:
    """Return the resources of the location that assets are made and stored with."""
    for each in assets:
        if isinstance(each, dg.AssetsDefinition):
            yield from each.required_resource_keys - each.resource_defs.keys()
