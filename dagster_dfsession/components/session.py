"""The session and the lake of a project, from YAML."""

import functools
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
from pydantic import BaseModel, ConfigDict, Field, create_model

from dagster_dfsession.components.scaffolding import SessionScaffolder
from dagster_dfsession.components.variables import options_of
from dagster_dfsession.config.profile import ProfileConfig, changes_of, given
from dagster_dfsession.delta.modes import SchemaMode, WriteMode
from dagster_dfsession.io_managers.delta import DataFusionDeltaIOManager
from dagster_dfsession.profile.codec import parse_profile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.resources import DataFusionSessionResource

SESSION = DataFusionSessionResource.model_fields
LAKE = DataFusionDeltaIOManager.model_fields


def _profile(context: dg.ResolutionContext, part: dg.Config) -> dict[str, Any]:
    return {**context.resolve_value(given(part))}


@dg.scaffold_with(SessionScaffolder)
class SessionResourceComponent(dg.Component, dg.Resolvable, dg.Model):
    """A DataFusion session for each run, and the Delta tables of all assets.

    It makes two resources: `dfsession`, with which assets ask queries, and
    `io_manager`, which writes what assets return below `root_uri`.
    """

    # No error shows what the fields hold.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    root_uri: Annotated[
        str,
        dg.Resolver.default(
            description=(
                "Lake of all tables: an address such as s3://bucket/lake, or a "
                "directory; a relative one is below the root of the project."
            ),
            examples=["data/lake", "s3://bucket/lake"],
        ),
    ]
    preset: Annotated[
        str, dg.Resolver.default(description=SESSION["preset"].description)
    ] = "default"
    profile: Annotated[
        dict[str, Any],
        dg.Resolver(
            _profile,
            model_field_type=ProfileConfig,
            description="Changes to the preset, part by part.",
        ),
    ] = Field(default_factory=dict)
    udfs: Annotated[
        list[str], dg.Resolver.default(description=SESSION["udfs"].description)
    ] = Field(default_factory=list)
    extensions: Annotated[
        list[str], dg.Resolver.default(description=SESSION["extensions"].description)
    ] = Field(default_factory=list)
    storage_options: Annotated[
        dict[str, Any],
        dg.Resolver(
            options_of,
            model_field_type=dict[str, str],
            description=(
                "Options of the storage, as deltalake takes them. '{{ env.NAME }}' is "
                "read in the run, and Dagster stores the name alone."
            ),
        ),
    ] = Field(default_factory=dict, repr=False)
    mode: Annotated[
        WriteMode, dg.Resolver.default(description=LAKE["mode"].description)
    ] = "overwrite"
    schema_mode: Annotated[
        SchemaMode, dg.Resolver.default(description=LAKE["schema_mode"].description)
    ] = "strict"
    session_key: Annotated[
        str, dg.Resolver.default(description="Name of the session among the resources.")
    ] = "dfsession"
    io_manager_key: Annotated[
        str, dg.Resolver.default(description="Name of the IO manager, likewise.")
    ] = "io_manager"

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """Return what the YAML is checked against.

        Dagster lets every field be a template, by a choice between its type and text.
        That is undone for the profile: a mistake in it is told with its line.
        """
        return _attributes(cls)

    @property
    def asked(self) -> SessionProfile:
        """The profile of the session: what reads the queries of the project.

        Raises:
            ProfileError: There is no such preset, or a part of the profile is wrong.
        """
        parts = ProfileConfig(**self.profile)
        return parse_profile(
            changes_of(parts, self.udfs, self.extensions), base=self.preset
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the session and the IO manager.

        Raises:
            ProfileError: There is no such preset, or a part of the profile is wrong.
        """
        root_uri = _address(self.root_uri, context.project_root)
        session = DataFusionSessionResource(
            preset=self.preset,
            profile=self.profile or None,
            udfs=self.udfs,
            extensions=self.extensions,
            root_uri=root_uri,
            storage_options=self.storage_options,
        )
        lake = DataFusionDeltaIOManager(
            session=session,
            root_uri=root_uri,
            storage_options=self.storage_options,
            mode=self.mode,
            schema_mode=self.schema_mode,
        )
        return dg.Definitions(
            resources={self.session_key: session, self.io_manager_key: lake}
        )


@functools.cache
def _attributes(component: type[SessionResourceComponent]) -> type[BaseModel]:
    template = component.model()
    profile = Field(
        default=None, description=template.model_fields["profile"].description
    )
    return create_model(
        template.__name__, __base__=template, profile=(ProfileConfig, profile)
    )


def _address(root_uri: str, project: Path) -> str:
    """Return where the lake is, whatever directory the code location is started in."""
    return root_uri if "://" in root_uri else str(project / Path(root_uri).expanduser())
