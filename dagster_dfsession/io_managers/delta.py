"""Assets as Delta tables."""

import contextlib
from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster import InitResourceContext
from pydantic import ConfigDict, Field, PrivateAttr, field_validator

from dagster_dfsession.config.storage import (
    SecretOptions,
    plain_options,
    resolved_options,
)
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.request import SchemaMode, WriteMode
from dagster_dfsession.errors import (
    LocationError,
    PartitionError,
    SessionError,
    UnsupportedTypeError,
)
from dagster_dfsession.io_managers.loading import load
from dagster_dfsession.resources import DataFusionSessionResource
from dagster_dfsession.steps.current import current_step
from dagster_dfsession.steps.partitions import asset_target
from dagster_dfsession.steps.publish import publish


class DataFusionDeltaIOManager(dg.ConfigurableIOManager):
    """Each asset is a Delta table below `root_uri`, at the place its key names.

    Parameters are loaded as the type they are annotated with: a datafusion DataFrame
    (which is lazy, and what a parameter without annotation gets), a pyarrow Table or
    RecordBatchReader, a polars LazyFrame or DataFrame, a pandas DataFrame or a
    deltalake DeltaTable. All of these can be returned.

    An asset's metadata may set `mode`, `schema_mode`, `partition_expr` (the column of
    the partition keys; required with partitions) and `partition_by`; an input's
    metadata `version`, `columns` and `predicate`.
    """

    # A misspelt field is an error, and no error shows what the fields hold.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    session: dg.ResourceDependency[DataFusionSessionResource]
    root_uri: str = Field(
        description="Directory, or an address such as s3://bucket/lake, of all tables."
    )
    storage_options: dict[str, str] = SecretOptions(
        "Options of the storage, as deltalake takes them. Use EnvVar for secrets."
    )
    mode: WriteMode = Field(
        default="overwrite",
        description="What a write does to the rows that are there: overwrite, append, error.",
    )
    schema_mode: SchemaMode = Field(
        default="strict",
        description="What a write may do to the table's columns: strict, merge, overwrite.",
    )

    _lake: Any = PrivateAttr(default=None)

    @field_validator("storage_options", mode="before")
    @classmethod
    def _accept_config_classes(cls, options: Any) -> Any:
        return plain_options(options)

    @contextlib.contextmanager
    def yield_for_execution(
        self, context: InitResourceContext
    ) -> Iterator["DataFusionDeltaIOManager"]:
        """Tell the session of the run where this manager's tables are."""
        del context
        lake = Lake(self.root_uri, resolved_options(self.storage_options))
        self.session.run.tables.add_lake(lake)
        self._lake = lake
        yield self

    @property
    def lake(self) -> Lake:
        """Where the tables are.

        Raises:
            SessionError: Dagster has not set the IO manager up.
        """
        if self._lake is None:
            raise SessionError("the IO manager is not set up: Dagster does it in a run")
        lake: Lake = self._lake
        return lake

    def load_input(self, context: dg.InputContext) -> Any:
        """Return an upstream asset as the type that the parameter is annotated with."""
        return load(context, self.lake, self.session.run, self.session.lease)

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write what an asset returned, and record which session made it."""
        if not context.has_asset_key:
            raise LocationError(
                f"output {context.name!r} of step {context.step_key!r} belongs to no "
                "asset; only assets have a table"
            )
        key = context.asset_key
        if obj is None:
            raise UnsupportedTypeError(
                f"asset {key.to_user_string()!r} returned None: annotate it '-> None' if "
                "it writes nothing, or return its table"
            )
        step = current_step()
        if step is None:
            raise SessionError("an output can only be handled in a step")
        partitions = context.asset_spec.partitions_def
        if partitions is not None and not context.has_asset_partitions:
            # Dagster starts such runs, and calls their outputs unpartitioned.
            raise PartitionError(
                f"asset {key.to_user_string()!r} has partitions, but this run has none, "
                "so nothing says which rows are its own. Launch it for a partition key "
                "or a range of them."
            )
        target = asset_target(
            self.lake,
            key.path,
            {**(context.definition_metadata or {}), **(context.output_metadata or {})},
            mode=self.mode,
            schema_mode=self.schema_mode,
            partitions=partitions,
            partition_keys=context.asset_partition_keys if partitions else (),
        )
        run = self.session.run
        published = publish(
            obj, target, self.lake, run=run, lease=self.session.lease, step=step
        )
        events = dg.AssetExecutionContext.get()
        events.add_asset_metadata(published.metadata, key)
        for partition, metadata in published.by_partition.items():
            events.add_asset_metadata(metadata, key, partition)
        step.set_data_version(key, dg.DataVersion(published.data_version))
        if run.tags != published.tags:
            step.instance.add_run_tags(step.run_id, published.tags)
            run.tags = published.tags

    def __repr__(self) -> str:
        return (
            f"DataFusionDeltaIOManager(session={self.session!r}, "
            f"root_uri={self.root_uri!r})"
        )

    __str__ = __repr__
