"""Asset checks over many assets in one step, which answer or say why they cannot."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import dagster as dg
import msgspec

from dagster_dfsession.errors import DfSessionError, SessionError, UnsupportedTypeError
from dagster_dfsession.io_managers.delta import DataFusionDeltaIOManager
from dagster_dfsession.metadata.budget import Metadata, within_budget
from dagster_dfsession.plan.hashing import content_hash

Assets: TypeAlias = Iterable[dg.AssetsDefinition | dg.AssetSpec]

_NAME_DIGITS = 8


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found of one asset.

    Attributes:
        description: In a sentence; Markdown.
        metadata: What shows it.
        warning: Whether it only warns, and blocks nothing, if it failed.
    """

    passed: bool
    description: str
    metadata: Metadata = {}
    warning: bool = False


Judge: TypeAlias = Callable[[dg.AssetKey], Verdict]


def asset_specs(assets: Assets, builder: str) -> dict[dg.AssetKey, dg.AssetSpec]:
    """Return the specs of assets by key.

    Args:
        assets: As their modules have them.
        builder: The function that was given them, for messages.

    Raises:
        UnsupportedTypeError: One is no asset, but the key of one, say.
    """
    found: dict[dg.AssetKey, dg.AssetSpec] = {}
    for each in assets:
        if isinstance(each, dg.AssetSpec):
            found[each.key] = each
        elif isinstance(each, dg.AssetsDefinition):
            found |= {spec.key: spec for spec in each.specs}
        else:
            raise UnsupportedTypeError(
                f"{builder} was given {each!r}, a {type(each).__name__}; give it the "
                "assets themselves: what @dg.asset and sql_asset return, or an "
                "AssetSpec"
            )
    return found


def materialized_specs(assets: Assets, builder: str) -> dict[dg.AssetKey, dg.AssetSpec]:
    """Return likewise those that materializations tell of: views have none."""
    specs = asset_specs(assets, builder)
    return {key: spec for key, spec in specs.items() if not spec.is_virtual}


def checks_over(
    name: str,
    keys: Iterable[dg.AssetKey],
    judging: Callable[[dg.AssetCheckExecutionContext], Judge],
    *,
    description: str,
    blocking: bool,
    resources: Iterable[str] = (),
) -> list[dg.AssetChecksDefinition]:
    """Return one check for each asset; those of a run share a step where they can.

    Args:
        name: Of each check.
        keys: Of the assets.
        judging: Called once a step, returns what judges an asset.
        description: What the checks ask.
        blocking: Whether what is downstream waits, and does not run if one failed.
        resources: Keys of the resources that `judging` needs.
    """
    ordered = sorted(set(keys))
    if not ordered:
        return []
    said = content_hash("checks", 1, [each.path for each in ordered])[:_NAME_DIGITS]

    @dg.multi_asset_check(
        name=f"{name}_{said}",
        specs=[
            dg.AssetCheckSpec(
                name, asset=key, description=description, blocking=blocking
            )
            for key in ordered
        ],
        can_subset=True,
        required_resource_keys={*resources},
    )
    def checks(
        context: dg.AssetCheckExecutionContext,
    ) -> Iterator[dg.AssetCheckResult]:
        judge = judging(context)
        for check in sorted(context.selected_asset_check_keys):
            verdict = _verdict(judge, check.asset_key)
            yield dg.AssetCheckResult(
                asset_key=check.asset_key,
                check_name=check.name,
                passed=verdict.passed,
                description=verdict.description,
                metadata=within_budget(verdict.metadata, {}),
                severity=dg.AssetCheckSeverity.WARN
                if verdict.warning
                else dg.AssetCheckSeverity.ERROR,
            )

    return [checks]


def stored_by(
    context: dg.AssetCheckExecutionContext, io_manager_key: str
) -> DataFusionDeltaIOManager:
    """Return the IO manager that has the lake and the session of a check.

    Raises:
        SessionError: The resource of that key is none of this package.
    """
    resource = resources_of(context)[io_manager_key]
    if not isinstance(resource, DataFusionDeltaIOManager):
        raise SessionError(
            f"the resource {io_manager_key!r} is a {type(resource).__name__}; the check"
            " needs the DataFusionDeltaIOManager of the asset: name its key as "
            "io_manager_key"
        )
    return resource


def resources_of(context: dg.AssetCheckExecutionContext) -> Mapping[str, Any]:
    """Return the resources of a check's step, by key."""
    given: Mapping[str, Any] = context.op_execution_context.resources._asdict()
    return given


def _verdict(judge: Judge, key: dg.AssetKey) -> Verdict:
    # What is wrong with one asset does not hide what is found of the others.
    try:
        return judge(key)
    except DfSessionError as error:
        return Verdict(passed=False, description=str(error))
