"""What the phases build on: one context under construction."""

import dataclasses
from collections.abc import Callable

from datafusion import SessionContext

from dagster_dfsession.errors import InstallError
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.catalog import SessionCatalog
from dagster_dfsession.session.functions.library import Library
from dagster_dfsession.session.runtime_env import RuntimeEnvSnapshot

Installer = Callable[["Site"], tuple[str, ...]]
"""Changes the site's context; returns what it installed just now, by name."""


@dataclasses.dataclass(kw_only=True)
class Site:
    """A context under construction, its plan, and what it has got so far.

    Attributes:
        library: The functions that the plan's modules declare.
        catalog: The catalog that the context will ask for tables.
        runtime_env: The runtime that the context is built with.
        spill_dir: Directory of this context alone; None: the system's choice.
        functions: Names of the user functions that it has.
        once: Names of what the engine refuses to take twice.
    """

    plan: SessionPlan
    library: Library
    catalog: SessionCatalog
    runtime_env: RuntimeEnvSnapshot
    spill_dir: str | None = None
    functions: tuple[str, ...] = ()
    once: set[str] = dataclasses.field(default_factory=set)
    built: SessionContext | None = None

    @property
    def ctx(self) -> SessionContext:
        """The context.

        Raises:
            InstallError: The context phase did not run yet.
        """
        if self.built is None:
            raise InstallError.during(
                Phase.CONTEXT.value, "SessionContext", "this phase has to run first"
            )
        return self.built
