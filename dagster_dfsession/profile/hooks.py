"""User code called around sessions, queries and writes."""

from typing import Annotated, Literal

from msgspec import Meta

from dagster_dfsession.profile.base import Frozen, ImportPath


class HooksProfile(Frozen, frozen=True):
    """Callables by import path, called in order."""

    before_session: Annotated[
        tuple[ImportPath, ...],
        Meta(description="Called with the SessionPlan, before anything is built."),
    ] = ()
    after_session: Annotated[
        tuple[ImportPath, ...],
        Meta(description="Called with the SessionContext: 'my_project.hooks:tune'."),
    ] = ()
    before_query: Annotated[
        tuple[ImportPath, ...],
        Meta(description="Called with the SQL, before it is planned."),
    ] = ()
    after_query: Annotated[
        tuple[ImportPath, ...],
        Meta(description="Called with the SQL and the DataFrame planned from it."),
    ] = ()
    before_write: Annotated[
        tuple[ImportPath, ...],
        Meta(description="Called with the Target, before anything is written."),
    ] = ()
    after_write: Annotated[
        tuple[ImportPath, ...],
        Meta(description="Called with the Materialization, after the commit."),
    ] = ()
    on_error: Annotated[
        tuple[ImportPath, ...],
        Meta(description="Called with the error of an opening, a planning or a write."),
    ] = ()
    failure: Annotated[
        Literal["raise", "log"],
        Meta(description="What becomes of an exception that a hook raises."),
    ] = "raise"
