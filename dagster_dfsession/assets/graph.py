"""From the definitions of a code location to what a zero-row bootstrap checks."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeGuard

import dagster as dg
import pyarrow as pa

from dagster_dfsession.assets.partition_sample import sample_key
from dagster_dfsession.assets.query import query_of
from dagster_dfsession.assets.rehearsal import rehearsal
from dagster_dfsession.bootstrap.request import (
    BootstrapAsset,
    BootstrapRequest,
    Query,
    Rehearsal,
)
from dagster_dfsession.config.storage import resolved, resolved_options
from dagster_dfsession.delta.arrow_types import delta_schema, table_schema
from dagster_dfsession.delta.contract import Contract, check_columns
from dagster_dfsession.delta.location import Lake, open_table
from dagster_dfsession.errors import DfSessionError
from dagster_dfsession.io_managers.delta import DataFusionDeltaIOManager
from dagster_dfsession.materialization.intended import columns_after
from dagster_dfsession.metadata.keys import ZERO_ROWS
from dagster_dfsession.profile.delta import DeltaProfile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.resources import DataFusionSessionResource
from dagster_dfsession.steps.contracts import asset_contract
from dagster_dfsession.steps.partitions import asset_target, plain_metadata
from dagster_dfsession.steps.views import view_of

_AT_ONCE = 8
"""Tables opened at the same time: on an object store each takes a while."""


class _Given(NamedTuple):
    """What the assets of a location have in common.

    Attributes:
        resources: By name.
        profiles: Those of the session resources among them.
        delta: How tables are written where an asset does not say.
    """

    resources: Mapping[str, Any]
    profiles: Mapping[str, SessionProfile]
    delta: DeltaProfile

    def profile_of(self, definition: dg.AssetsDefinition) -> SessionProfile | None:
        """Return the profile of a SQL asset's session, if there are several.

        Of a single one, whoever asks for the check knows it, and may have changed it.
        """
        query = query_of(definition)
        if query is None or len(self.profiles) <= 1:
            return None
        return self.profiles.get(query.session_key)


def bootstrap_request(
    definitions: dg.Definitions, delta: DeltaProfile
) -> BootstrapRequest:
    """Return the graph of all assets, with what is promised and stored of each.

    The columns of an asset are those of its contract, or else those that its table has
    at its newest version. A SQL asset is planned; an asset whose metadata has
    `dfsession/zero_rows` is run over small tables; of every other asset the columns
    are taken as they are. No data file is read.

    Args:
        definitions: Of the code location.
        delta: How tables are written where an asset does not say.

    Raises:
        ContractError: A contract is none.
        DeltaError: A table cannot be opened.
    """
    given = _Given(definitions.resources or {}, session_profiles(definitions), delta)
    graph = definitions.resolve_asset_graph()
    owners = {key: each for each in graph.assets_defs for key in each.keys}
    # As they were written: those of the graph have their resources already.
    written = [each for each in definitions.assets or () if _is_asset(each)]
    plain = {key: each for each in written for key in each.keys}
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        found = threads.map(
            lambda key: _asset(owners[key], plain.get(key), key, given),
            sorted(owners),
        )
        return BootstrapRequest(tuple(each for each in found if each is not None))


def session_profiles(definitions: dg.Definitions) -> dict[str, SessionProfile]:
    """Return the profiles of the session resources, by the names of these, sorted."""
    named = sorted((definitions.resources or {}).items())
    return {
        name: each.plan().profile
        for name, each in named
        if isinstance(each, DataFusionSessionResource)
    }


def _is_asset(given: object) -> TypeGuard[dg.AssetsDefinition]:
    return isinstance(given, dg.AssetsDefinition)


def _asset(
    definition: dg.AssetsDefinition,
    written: dg.AssetsDefinition | None,
    key: dg.AssetKey,
    given: _Given,
) -> BootstrapAsset | None:
    name = key.to_user_string()
    metadata = plain_metadata(definition.metadata_by_key.get(key))
    view = view_of(metadata)
    if view is not None:
        # It has no table that its columns would have to fit.
        made = Query(view.sql, view.params)
        return BootstrapAsset(key=name, made=made, stored=lambda found: found)
    own = given.profile_of(definition)
    contract = asset_contract(metadata, name)
    manager = given.resources.get(definition.get_io_manager_key_for_asset_key(key))
    columns = None if contract is None else contract.schema
    stored = _promised(contract, name)
    if isinstance(manager, DataFusionDeltaIOManager):
        root: str = resolved(manager.root_uri, "root_uri")
        lake = Lake(root, resolved_options(manager.storage_options))
        table = None if columns is not None else open_table(lake.table(key.path))
        columns = columns if table is None else table_schema(table)
        delta = given.delta if own is None else own.delta
        stored = _stored(definition, key, lake, manager, delta) or stored
    if columns is None and definition.is_auto_created_stub:
        return None  # a name that some asset has written, and perhaps misspelt
    return BootstrapAsset(
        key=name,
        made=_made(definition, written, key, metadata, given.resources),
        profile=own,
        columns=columns,
        stored=stored,
    )


def _made(
    definition: dg.AssetsDefinition,
    written: dg.AssetsDefinition | None,
    key: dg.AssetKey,
    metadata: Mapping[str, Any],
    resources: Mapping[str, Any],
) -> Query | Rehearsal | None:
    query = query_of(definition)
    if query is not None:
        return Query(query.sql, query.typed_params, query.engine)
    if metadata.get(ZERO_ROWS) and written is not None and written.is_executable:
        return rehearsal(written, key, resources)
    return None


def _promised(
    contract: Contract | None, asset: str
) -> Callable[[pa.Schema], pa.Schema]:
    """Return what holds columns against a contract alone."""

    def stored(found: pa.Schema) -> pa.Schema:
        held = delta_schema(found)
        if contract is not None:
            check_columns(contract, held, asset)
        return held

    return stored


def _stored(
    definition: dg.AssetsDefinition,
    key: dg.AssetKey,
    lake: Lake,
    manager: DataFusionDeltaIOManager,
    delta: DeltaProfile,
) -> Callable[[pa.Schema], pa.Schema] | None:
    """Return what holds columns against contract and table, as a write would.

    None: no write can be thought of, as only an instance knows the partition keys.
    """
    partitions = definition.get_asset_spec(key).partitions_def
    sample = sample_key(partitions)
    if partitions is not None and sample is None:
        return None

    def stored(found: pa.Schema) -> pa.Schema:
        target = asset_target(
            lake,
            key.path,
            definition.metadata_by_key.get(key, {}),
            mode=manager.mode,
            schema_mode=manager.schema_mode,
            partitions=partitions,
            partition_keys=None if sample is None else [sample],
        )
        try:
            return columns_after(target, found, delta)
        except DfSessionError as error:
            # A report is the same on every machine.
            said = str(error).replace(target.location.uri, key.to_user_string())
            raise type(error)(said) from error

    return stored
