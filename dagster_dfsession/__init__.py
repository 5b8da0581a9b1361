"""A DataFusion session as a Dagster resource, with Delta Lake as the storage.

The names below are the public interface. They are imported when first asked for, so
that code servers and sensors start without an engine.
"""

import importlib
from typing import TYPE_CHECKING, Any

from dagster_dfsession.errors import (
    CodeLocationError,
    ColumnNotFoundError,
    CommitError,
    ContractError,
    DeltaError,
    DfSessionError,
    EngineVersionError,
    FunctionError,
    FunctionFailedError,
    InstallError,
    LocationError,
    MemoryLimitError,
    PartitionError,
    PoolError,
    PoolExhaustedError,
    ProfileError,
    QueryError,
    RecordError,
    SchemaMismatchError,
    SessionError,
    SettingError,
    SnapshotError,
    SqlPolicyError,
    TableNotFoundError,
    UnsupportedTypeError,
)

if TYPE_CHECKING:
    from dagster_dfsession.assets.graph import bootstrap_request
    from dagster_dfsession.assets.remote import remote_query
    from dagster_dfsession.assets.sql_asset import sql_asset
    from dagster_dfsession.assets.sql_files import load_sql_assets
    from dagster_dfsession.bootstrap.check import bootstrap_session
    from dagster_dfsession.checks.bounds import build_metadata_bounds_checks
    from dagster_dfsession.checks.columns import build_schema_change_checks
    from dagster_dfsession.checks.contracts import build_contract_checks
    from dagster_dfsession.checks.drift import build_session_drift_checks
    from dagster_dfsession.checks.plans import build_plan_checks
    from dagster_dfsession.components.session import SessionResourceComponent
    from dagster_dfsession.components.sql_assets import SqlAssetsComponent
    from dagster_dfsession.io_managers.changes import Changes
    from dagster_dfsession.io_managers.delta import DataFusionDeltaIOManager
    from dagster_dfsession.lake_session import LakeSession
    from dagster_dfsession.maintenance import (
        build_maintenance_asset,
        build_maintenance_job,
        build_maintenance_op,
    )
    from dagster_dfsession.materialization.artifact import PlanArtifact
    from dagster_dfsession.plan.build import plan_session
    from dagster_dfsession.profile.maintenance import MaintenancePolicy
    from dagster_dfsession.profile.session import SessionProfile
    from dagster_dfsession.query.preflight import Preflight, check_sql
    from dagster_dfsession.resources import DataFusionSessionResource
    from dagster_dfsession.sensors import (
        build_janitor_sensor,
        build_run_summary_sensors,
        build_session_drift_sensor,
    )
    from dagster_dfsession.session.factory import open_session
    from dagster_dfsession.session.functions.declare import (
        aggregate_udf,
        scalar_udf,
        table_function,
        window_udf,
    )
    from dagster_dfsession.session.functions.foreign import (
        capsule_function,
        function_bundle,
    )
    from dagster_dfsession.session.ports import ExtensionBundle
    from dagster_dfsession.sources import observable_delta_source
    from dagster_dfsession.telemetry.run_trace import trace_tags
    from dagster_dfsession.telemetry.sink import DiagnosticsSink

__all__ = [
    "Changes",
    "CodeLocationError",
    "ColumnNotFoundError",
    "CommitError",
    "ContractError",
    "DataFusionDeltaIOManager",
    "DataFusionSessionResource",
    "DeltaError",
    "DfSessionError",
    "DiagnosticsSink",
    "EngineVersionError",
    "ExtensionBundle",
    "FunctionError",
    "FunctionFailedError",
    "InstallError",
    "LakeSession",
    "LocationError",
    "MaintenancePolicy",
    "MemoryLimitError",
    "PartitionError",
    "PlanArtifact",
    "PoolError",
    "PoolExhaustedError",
    "Preflight",
    "ProfileError",
    "QueryError",
    "RecordError",
    "SchemaMismatchError",
    "SessionError",
    "SessionProfile",
    "SessionResourceComponent",
    "SettingError",
    "SnapshotError",
    "SqlAssetsComponent",
    "SqlPolicyError",
    "TableNotFoundError",
    "UnsupportedTypeError",
    "aggregate_udf",
    "bootstrap_request",
    "bootstrap_session",
    "build_contract_checks",
    "build_janitor_sensor",
    "build_maintenance_asset",
    "build_maintenance_job",
    "build_maintenance_op",
    "build_metadata_bounds_checks",
    "build_plan_checks",
    "build_run_summary_sensors",
    "build_schema_change_checks",
    "build_session_drift_checks",
    "build_session_drift_sensor",
    "capsule_function",
    "check_sql",
    "function_bundle",
    "load_sql_assets",
    "observable_delta_source",
    "open_session",
    "plan_session",
    "remote_query",
    "scalar_udf",
    "sql_asset",
    "table_function",
    "trace_tags",
    "window_udf",
]

_HOMES = {
    "Changes": "io_managers.changes",
    "DataFusionDeltaIOManager": "io_managers.delta",
    "DataFusionSessionResource": "resources",
    "DiagnosticsSink": "telemetry.sink",
    "ExtensionBundle": "session.ports",
    "LakeSession": "lake_session",
    "MaintenancePolicy": "profile.maintenance",
    "PlanArtifact": "materialization.artifact",
    "Preflight": "query.preflight",
    "SessionProfile": "profile.session",
    "SessionResourceComponent": "components.session",
    "SqlAssetsComponent": "components.sql_assets",
    "aggregate_udf": "session.functions.declare",
    "bootstrap_request": "assets.graph",
    "bootstrap_session": "bootstrap.check",
    "build_contract_checks": "checks.contracts",
    "build_janitor_sensor": "sensors",
    "build_maintenance_asset": "maintenance",
    "build_maintenance_job": "maintenance",
    "build_maintenance_op": "maintenance",
    "build_metadata_bounds_checks": "checks.bounds",
    "build_plan_checks": "checks.plans",
    "build_run_summary_sensors": "sensors",
    "build_schema_change_checks": "checks.columns",
    "build_session_drift_checks": "checks.drift",
    "build_session_drift_sensor": "sensors",
    "capsule_function": "session.functions.foreign",
    "check_sql": "query.preflight",
    "function_bundle": "session.functions.foreign",
    "load_sql_assets": "assets.sql_files",
    "observable_delta_source": "sources",
    "open_session": "session.factory",
    "plan_session": "plan.build",
    "remote_query": "assets.remote",
    "scalar_udf": "session.functions.declare",
    "sql_asset": "assets.sql_asset",
    "table_function": "session.functions.declare",
    "trace_tags": "telemetry.run_trace",
    "window_udf": "session.functions.declare",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
