"""Assets as Delta tables."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster import InitResourceContext
from pydantic import ConfigDict, Field, PrivateAttr

from dagster_dfsession.config.storage import (
    SecretOptions,
    StorageOptions,
    resolved,
    resolved_options,
    with_plain_options,
)
from dagster_dfsession.delta.modes import SchemaMode, WriteMode
from dagster_dfsession.errors import SessionError
from dagster_dfsession.profile.maintenance import MaintenancePolicy
from dagster_dfsession.resources import DataFusionSessionResource
from dagster_dfsession.steps.current import current_step

if TYPE_CHECKING:
    from dagster_dfsession.delta.location import Lake
    from dagster_dfsession.delta.maintained import MaintenanceResult


_MODE: WriteMode = "overwrite"
_SCHEMA_MODE: SchemaMode = "strict"


class DataFusionDeltaIOManager(dg.ConfigurableIOManager):
    """Each asset is a Delta table below `root_uri`, at the place its key names.

    Parameters are loaded as the type they are annotated with: a datafusion DataFrame
    (which is lazy, and what a parameter without annotation gets), a pyarrow Table or
    RecordBatchReader, a polars LazyFrame or DataFrame, a pandas DataFrame or a
    deltalake DeltaTable. All of these can be returned.

    An asset's metadata may set `mode`, `merge`, `schema_mode`, `partition_expr` (the
    column of the partition keys; required with partitions), `partition_by`,
    `contract`, `layout`, `table_properties` and `constraints`; an input's metadata
    `version`, `timestamp`, `columns`, `predicate` and `changes`.
    """

    # A misspelt field is an error, and no error shows what the fields hold.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    session: dg.ResourceDependency[DataFusionSessionResource]
    root_uri: str = Field(
        description="Directory, or an address such as s3://bucket/lake, of all tables."
    )
    storage_options: StorageOptions = SecretOptions(
        "Options of the storage, as deltalake takes them. Use EnvVar for secrets."
    )
    # Made by factories, as the session resource's: a launch that gives another address
    # must not turn the definition's `append` into `overwrite`.
    mode: WriteMode = Field(
        default_factory=lambda: _MODE,
        description=(
            "What a write does to old rows: overwrite (the default), append, merge "
            "(the asset's metadata says how), error, ignore."
        ),
    )
    schema_mode: SchemaMode = Field(
        default_factory=lambda: _SCHEMA_MODE,
        description=(
            "What a write may do to the columns: strict (the default), merge or "
            "overwrite."
        ),
    )

    _lake: Any = PrivateAttr(default=None)

    if not TYPE_CHECKING:  # there, the fields are the signature

        def __init__(self, **fields: Any) -> None:
            """Take the config classes of dagster-deltalake as storage options too."""
            # What has a value is shown in the launchpad.
            shown = {"mode": _MODE, "schema_mode": _SCHEMA_MODE}
            super().__init__(**{**shown, **with_plain_options(fields)})

    @contextlib.contextmanager
    def yield_for_execution(
        self, context: InitResourceContext
    ) -> Iterator["DataFusionDeltaIOManager"]:
        """Tell the session of the run where this manager's tables are."""
        # The engine is imported here: a code server has no use for it.
        from dagster_dfsession.delta.location import Lake  # noqa: PLC0415

        del context
        root_uri: str = resolved(self.root_uri, "root_uri")
        lake = Lake(root_uri, resolved_options(self.storage_options))
        self.session.run.tables.add_lake(lake)
        self._lake = lake
        yield self

    @property
    def lake(self) -> "Lake":
        """Where the tables are.

        Raises:
            SessionError: Dagster has not set the IO manager up.
        """
        if self._lake is None:
            raise SessionError("the IO manager is not set up: Dagster does it in a run")
        lake: Lake = self._lake
        return lake

    @property
    def working_session(self) -> DataFusionSessionResource:
        """The session that made what the running step returns.

        Dagster makes a copy of `session` for this manager. A launch that overrides
        the config of the session resource does so for the assets alone: then the one
        that the step uses counts, so that records tell which session it was.
        """
        step = current_step()
        given = () if step is None else step.resources._asdict().values()
        used = [each for each in given if isinstance(each, DataFusionSessionResource)]
        return used[0] if len(used) == 1 else self.session

    def load_input(self, context: dg.InputContext) -> Any:
        """Return an upstream asset as the type that the parameter is annotated with."""
        # The engine is imported here: a code server has no use for it.
        from dagster_dfsession.io_managers.loading import load  # noqa: PLC0415

        session = self.working_session
        return load(context, self.lake, session.run, session.lease)

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write what an asset returned, and record which session made it."""
        from dagster_dfsession.io_managers.storing import store  # noqa: PLC0415

        store(
            context,
            obj,
            self.lake,
            self.working_session,
            mode=self.mode,
            schema_mode=self.schema_mode,
        )

    def maintain(
        self,
        key: dg.AssetKey | Sequence[str] | str,
        policy: MaintenancePolicy | None = None,
    ) -> "tuple[MaintenanceResult, ...]":
        """Maintain the table of an asset: compact, vacuum, remove orphans and so on.

        Args:
            key: The asset key.
            policy: What to do; None: every step with its default.

        Raises:
            CommitError: Other runs wrote to the table again and again.
            DeltaError: There is no table, or a step was refused.
        """
        from dagster_dfsession.materialization.replayable import (  # noqa: PLC0415
            maintain_table,
        )

        path = dg.AssetKey.from_coercible(key).path
        return maintain_table(self.lake, path, policy or MaintenancePolicy())

    def __repr__(self) -> str:
        return (
            f"DataFusionDeltaIOManager(session={self.session!r}, "
            f"root_uri={self.root_uri!r})"
        )

    __str__ = __repr__
