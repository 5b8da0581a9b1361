"""Maintenance of Delta tables as an asset, an op or a job."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
import msgspec

from dagster_dfsession.errors import SessionError
from dagster_dfsession.io_managers.delta import DataFusionDeltaIOManager
from dagster_dfsession.profile.maintenance import MaintenancePolicy

if TYPE_CHECKING:
    from dagster_dfsession.metadata.budget import Metadata

_EVERYTHING = MaintenancePolicy()


def build_maintenance_asset(
    name: str,
    keys: Iterable[dg.AssetKey | str | Sequence[str]],
    policy: MaintenancePolicy = _EVERYTHING,
    *,
    io_manager_key: str = "io_manager",
    **options: Any,
) -> dg.AssetsDefinition:
    """Return an asset that maintains the tables of other assets, downstream of them.

    Each table's asset gets an observation with what was done to it.

    Args:
        name: Of the asset.
        keys: Whose tables.
        policy: What is done; a launch may set `dry_run`.
        io_manager_key: The resource that is their `DataFusionDeltaIOManager`.
        **options: For `dagster.asset`: group_name, automation_condition, ...

    Examples:
        >>> policy = MaintenancePolicy(z_order_by=("origin",), replayable="keep")
        >>> upkeep = build_maintenance_asset("upkeep", ["flights"], policy)
        >>> sorted(key.to_user_string() for key in upkeep.dependency_keys)
        ['flights']
    """
    tables = _keys(keys)

    def maintain(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        step = context.op_execution_context
        return dg.MaterializeResult(
            metadata=_maintained(step, tables, policy, io_manager_key)
        )

    asset: dg.AssetsDefinition = dg.asset(
        name=name,
        deps=tables,
        required_resource_keys={io_manager_key},
        config_schema=_config(policy),
        **{
            "kinds": {"deltalake"},
            "description": f"Maintenance of {_words(tables)}.",
            **options,
        },
    )(maintain)
    return asset


def build_maintenance_op(
    keys: Iterable[dg.AssetKey | str | Sequence[str]],
    policy: MaintenancePolicy = _EVERYTHING,
    *,
    name: str = "maintain_tables",
    io_manager_key: str = "io_manager",
    **options: Any,
) -> dg.OpDefinition:
    """Return an op that maintains the tables of assets.

    Args:
        keys: Whose tables.
        policy: What is done; a launch may set `dry_run`.
        name: Of the op.
        io_manager_key: The resource that is their `DataFusionDeltaIOManager`.
        **options: For `dagster.op`: tags, retry_policy, pool, ...
    """
    tables = _keys(keys)

    def maintain(context: dg.OpExecutionContext) -> None:
        metadata = _maintained(context, tables, policy, io_manager_key)
        context.add_output_metadata(metadata)

    op: dg.OpDefinition = dg.op(
        name=name,
        required_resource_keys={io_manager_key},
        config_schema=_config(policy),
        out=dg.Out(dg.Nothing),
        **{"description": f"Maintenance of {_words(tables)}.", **options},
    )(maintain)
    return op


def build_maintenance_job(
    name: str,
    keys: Iterable[dg.AssetKey | str | Sequence[str]],
    policy: MaintenancePolicy = _EVERYTHING,
    *,
    io_manager_key: str = "io_manager",
    **options: Any,
) -> dg.JobDefinition:
    """Return a job of one op that maintains the tables of assets.

    Args:
        name: Of the job.
        keys: Whose tables.
        policy: What is done; a launch may set `dry_run`.
        io_manager_key: The resource that is their `DataFusionDeltaIOManager`.
        **options: For `dagster.job`: tags, resource_defs, ...
    """
    op = build_maintenance_op(keys, policy, io_manager_key=io_manager_key)

    @dg.job(name=name, **options)
    def maintenance() -> None:
        op()

    return maintenance


def _keys(keys: Iterable[dg.AssetKey | str | Sequence[str]]) -> list[dg.AssetKey]:
    if isinstance(keys, str | dg.AssetKey):
        raise SessionError(
            f"keys is {keys!r}, a single asset key: write a list of keys, [{keys!r}]"
        )
    return [dg.AssetKey.from_coercible(key) for key in keys]


def _words(tables: Iterable[dg.AssetKey]) -> str:
    return ", ".join(key.to_user_string() for key in tables)


def _config(policy: MaintenancePolicy) -> Mapping[str, dg.Field]:
    said = "Only say what would be removed."
    return {"dry_run": dg.Field(bool, default_value=policy.dry_run, description=said)}


def _maintained(
    step: dg.OpExecutionContext,
    tables: list[dg.AssetKey],
    policy: MaintenancePolicy,
    io_manager_key: str,
) -> "Metadata":
    # The engine is imported here: a code server has no use for it.
    from dagster_dfsession.steps.maintenance import maintain_tables  # noqa: PLC0415

    resource = getattr(step.resources, io_manager_key)
    if not isinstance(resource, DataFusionDeltaIOManager):
        raise SessionError(
            f"the resource {io_manager_key!r} is a {type(resource).__name__}; "
            "maintenance needs the DataFusionDeltaIOManager of the tables: name its "
            "key as io_manager_key"
        )
    asked = msgspec.structs.replace(policy, dry_run=step.op_config["dry_run"])
    return maintain_tables(step, resource.lake, tables, asked)
