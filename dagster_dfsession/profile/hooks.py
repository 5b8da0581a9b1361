"""User code called while a session is built."""

from typing import Annotated

from msgspec import Meta

from dagster_dfsession.profile.base import Frozen, ImportPath


class HooksProfile(Frozen, frozen=True):
    """Callables by import path, called in order; one that raises fails the session."""

    after_session: Annotated[
        tuple[ImportPath, ...],
        Meta(description="Called with the SessionContext: 'my_project.hooks:tune'."),
    ] = ()
