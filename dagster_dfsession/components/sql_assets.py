"""A folder of queries as assets, from YAML."""

from typing import Annotated, Any

import dagster as dg
from pydantic import Field

from dagster_dfsession.components.scaffolding import SqlAssetsScaffolder
from dagster_dfsession.components.session import SessionResourceComponent
from dagster_dfsession.errors import CodeLocationError, did_you_mean, listing
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.resources import DataFusionSessionResource


@dg.scaffold_with(SqlAssetsScaffolder)
class SqlAssetsComponent(dg.Component, dg.Resolvable, dg.Model):
    """Each `.sql` file of a folder is an asset, downstream of the tables it names.

    `SELECT * FROM orders` in `late.sql` makes the asset `late`, which depends on
    `orders`; a comment at the top of the file may say more. The queries run on the
    session of a `SessionResourceComponent`.
    """

    folder: Annotated[
        str,
        dg.Resolver.default(
            description=(
                "Folder of the .sql files, beside this file. Folders below it are "
                "prefixes of asset keys."
            )
        ),
    ] = "sql"
    key_prefix: Annotated[
        str | list[str],
        dg.Resolver.default(description="What all asset keys begin with."),
    ] = Field(default_factory=list)
    external: Annotated[
        list[str],
        dg.Resolver.default(
            description="Assets that queries name and others make: raw/flights.",
            examples=[["raw/flights"]],
        ),
    ] = Field(default_factory=list)
    partitions: Annotated[
        dict[str, Any],
        dg.Resolver.default(
            description=(
                "Partitions by the names that files call them, as "
                "'{{ dg.DailyPartitionsDefinition(\"2024-01-01\") }}'."
            )
        ),
    ] = Field(default_factory=dict)
    session_key: Annotated[
        str,
        dg.Resolver.default(
            description="The session that runs them: a resource of the project."
        ),
    ] = "dfsession"
    session: Annotated[
        Any,
        dg.Resolver.default(
            model_field_type=str,
            description=(
                "That resource as '{{ a template variable }}', where no "
                "SessionResourceComponent makes it. Its functions and dialect count."
            ),
        ),
    ] = None

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the assets.

        Raises:
            CodeLocationError: There is no such folder or session, or a file is not what
                it should be.
            TableNotFoundError: Queries name what is neither in the folder nor external.
            QueryError: The engine cannot read a query.
        """
        # The engine is imported here: what lists components has no use for it.
        from dagster_dfsession.assets.sql_files import (  # noqa: PLC0415
            load_sql_assets,
        )

        here = context.path if context.path.is_dir() else context.path.parent
        return dg.Definitions(
            assets=load_sql_assets(
                here / self.folder,
                key_prefix=self.key_prefix,
                external=self.external,
                partitions=self.partitions,
                session=self._session_of(context),
                session_key=self.session_key,
            )
        )

    def _session_of(
        self, context: dg.ComponentLoadContext
    ) -> DataFusionSessionResource | SessionProfile:
        if isinstance(self.session, DataFusionSessionResource):
            return self.session
        if self.session is not None:
            raise CodeLocationError(
                f"session is {self.session!r}, and no DataFusionSessionResource: leave "
                "it out, or name a template variable that is one, as '{{ name }}'"
            )
        made = context.component_tree.get_all_components(SessionResourceComponent)
        sessions = {each.session_key: each for each in made}
        if self.session_key not in sessions:
            raise CodeLocationError(
                f"session_key is {self.session_key!r}, and the "
                f"SessionResourceComponents of this project make {listing(sessions)}."
                f"{did_you_mean(self.session_key, sessions)} Add one with `dg scaffold "
                "defs SessionResourceComponent`, or pass the resource in `session`."
            )
        return sessions[self.session_key].asked
