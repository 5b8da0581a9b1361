"""A folder of queries as assets, from YAML."""

from pathlib import Path
from typing import Annotated, Any

import dagster as dg

from dagster_dfsession.components.scaffolding import SqlAssetsScaffolder
from dagster_dfsession.components.session import SessionResourceComponent
from dagster_dfsession.errors import CodeLocationError, did_you_mean, listing
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.resources import DataFusionSessionResource


@dg.scaffold_with(SqlAssetsScaffolder)
class SqlAssetsComponent(dg.Component, dg.Resolvable, dg.Model):
    """Each `.sql` file of a folder is an asset, downstream of the tables it names.

    `SELECT * FROM orders` in `late.sql` makes the asset `late`, which depends on
    `orders`. The queries run on the session of a `SessionResourceComponent`.
    """

    folder: Annotated[
        str,
        dg.Resolver.default(description="Folder of the .sql files, beside this file."),
    ] = "sql"
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
            CodeLocationError: There is no such folder or session, or no query in it.
            QueryError: The engine cannot read a query.
        """
        # The engine is imported here: what lists components has no use for it.
        from dagster_dfsession.assets.sql_asset import sql_asset  # noqa: PLC0415

        here = context.path if context.path.is_dir() else context.path.parent
        session = self._session_of(context)
        return dg.Definitions(
            assets=[
                sql_asset(
                    name=file.stem,
                    sql=file.read_text(encoding="utf-8"),
                    session=session,
                    session_key=self.session_key,
                    written_at=(str(file), 1),
                )
                for file in _queries(here / self.folder)
            ]
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
                f"session_key is {self.session_key!r}, and the SessionResourceComponents "
                f"of this project make {listing(sessions)}."
                f"{did_you_mean(self.session_key, sessions)} Add one with `dg scaffold "
                "defs SessionResourceComponent`, or pass the resource in `session`."
            )
        return sessions[self.session_key].asked


def _queries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        there = [each.name for each in folder.parent.iterdir() if each.is_dir()]
        raise CodeLocationError(
            f"there is no folder {folder}; beside it there is {listing(there)}."
            f"{did_you_mean(folder.name, there)}"
        )
    found = sorted(folder.glob("*.sql"))
    if not found:
        raise CodeLocationError(f"folder {folder} has no .sql file: put a query into it")
    return found
