"""Running an asset that is made in Python over no rows, to see its columns."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.dataset as ds
from datafusion import DataFrame, SessionContext
from datafusion.catalog import Table

from dagster_dfsession.assets.partition_sample import sample_key
from dagster_dfsession.bootstrap.request import Rehearsal
from dagster_dfsession.config.profile import given
from dagster_dfsession.config.storage import resolved
from dagster_dfsession.errors import DfSessionError
from dagster_dfsession.io_managers.delta import DataFusionDeltaIOManager
from dagster_dfsession.io_managers.handlers import load_as
from dagster_dfsession.materialization.outputs import stream_of
from dagster_dfsession.query.stream import Execution
from dagster_dfsession.resources import DataFusionSessionResource
from dagster_dfsession.session.catalog import table_name
from dagster_dfsession.session.failures import query_error

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def rehearsal(
    definition: dg.AssetsDefinition, key: dg.AssetKey, resources: Mapping[str, Any]
) -> Rehearsal:
    """Return what runs an asset over small tables, in a Dagster of its own.

    It has the resources of the code location, less its lakes: inputs and queries find
    the small tables and no others, sessions are read-only, and what is returned is
    looked at instead of written.

    Args:
        definition: The asset.
        key: Its key.
        resources: Of the code location.
    """
    name = key.to_user_string()
    reads = sorted(definition.asset_deps[key] - {key})

    def run(tables: Mapping[str, pa.Table]) -> pa.Schema:
        made: dict[str, pa.Schema] = {}
        watched = _SmallTables(tables, made)
        replaced = {
            resource: _rehearsed(value, tables, watched)
            for resource, value in resources.items()
        }
        managers = {
            "io_manager": watched,
            definition.get_io_manager_key_for_asset_key(key): watched,
        }
        with dg.DagsterInstance.ephemeral() as instance:
            try:
                dg.materialize(
                    [definition, *map(dg.AssetSpec, reads)],
                    selection=[definition],
                    resources={**replaced, **managers},
                    instance=instance,
                    run_config=_QUIET,
                    partition_key=_partition_key(definition, instance),
                )
            except DfSessionError:
                raise
            except Exception as error:
                doing = f"running {name} over {_words(tables)}"
                if type(error) is Exception:  # which only the engine raises
                    raise query_error(str(error), doing) from error
                raise DfSessionError(
                    f"{doing}: {type(error).__name__}: {error}"
                ) from error
        if name not in made:
            raise DfSessionError(
                f"{name} was run over {_words(tables)}, and returned nothing to its IO "
                "manager: return its table, or do not mark it for such runs"
            )
        return made[name]

    return Rehearsal(reads=tuple(each.to_user_string() for each in reads), run=run)


class _SmallTables(dg.IOManager):
    """Hands out small tables, and notes the columns of what it is given."""

    def __init__(
        self, tables: Mapping[str, pa.Table], made: dict[str, pa.Schema]
    ) -> None:
        self._tables = tables
        self._made = made

    def load_input(self, context: dg.InputContext) -> Any:
        asset = context.asset_key.to_user_string()
        *_, name = context.asset_key.path
        frame = SessionContext().from_arrow(self._tables[asset], name)
        return load_as(context.dagster_type.typing_type, frame, asset)

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        asset = context.asset_key.to_user_string()
        reader = (
            Execution(obj, f"running {asset}").reader
            if isinstance(obj, DataFrame)
            else stream_of(obj, asset)
        )
        self._made[asset] = reader.read_all().schema


def _rehearsed(
    resource: Any, tables: Mapping[str, pa.Table], watched: _SmallTables
) -> Any:
    if isinstance(resource, DataFusionDeltaIOManager):
        return watched
    if isinstance(resource, DataFusionSessionResource):
        return dg.ResourceDefinition(_session(resource, tables))
    return resource


def _session(
    resource: DataFusionSessionResource, tables: Mapping[str, pa.Table]
) -> Callable[..., Any]:
    """Return a session like that of the resource, over the small tables alone."""
    changes = given(resource.profile)
    changes.setdefault("sql", {})["policy"] = {"preset": "read_only"}
    alone = DataFusionSessionResource(
        preset=resolved(resource.preset, "preset"), profile=changes, udfs=resource.udfs
    )

    @contextlib.contextmanager
    def lent(context: dg.InitResourceContext) -> Iterator[DataFusionSessionResource]:
        with alone.yield_for_execution(context) as session:
            home = alone.plan().catalog.default_schema
            for key, table in tables.items():
                name = table_name(key.split("/"), home)
                session.session().catalog.add(name, Table(ds.dataset(table)))
            yield session

    return lent


def _partition_key(
    definition: dg.AssetsDefinition, instance: dg.DagsterInstance
) -> str | None:
    partitions = definition.partitions_def
    if isinstance(partitions, dg.DynamicPartitionsDefinition) and partitions.name:
        instance.add_dynamic_partitions(partitions.name, [partitions.name])
        return partitions.name
    return sample_key(partitions)


def _words(tables: Mapping[str, pa.Table]) -> str:
    rows = {table.num_rows for table in tables.values()}
    return "one row of each input" if rows == {1} else "no rows"
