"""Which functions a session has beyond the engine's own."""

from typing import Annotated

from msgspec import Meta

from dagster_dfsession.profile.base import Frozen, Identifier, ImportPath


class FunctionsProfile(Frozen, frozen=True):
    """User functions by import path.

    Attributes:
        names: Install only these of what the modules declare; None: all of it.
    """

    modules: Annotated[
        tuple[ImportPath, ...],
        Meta(description="Modules that declare functions: 'my_project.udfs'."),
    ] = ()
    names: Annotated[
        tuple[Identifier, ...] | None,
        Meta(description="Install only these functions. Unset: all declared."),
    ] = None
    spark: Annotated[
        bool, Meta(description="Install the engine's Spark functions as well.")
    ] = False
