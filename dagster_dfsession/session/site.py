"""What the phases build on: one context under construction."""

import dataclasses
import functools
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from datafusion import SessionContext

from dagster_dfsession.errors import InstallError
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.catalog import SessionCatalog
from dagster_dfsession.session.extensions import LoadedExtension, load_extensions
from dagster_dfsession.session.functions.library import Library
from dagster_dfsession.session.functions.snapshot import FunctionsSnapshot
from dagster_dfsession.session.hooks import Hooks, load_hooks
from dagster_dfsession.session.runtime_env import RuntimeEnvSnapshot
from dagster_dfsession.session.system import Row, Rows

Installer = Callable[["Site"], tuple[str, ...]]
"""Changes the site's context; returns what it installed just now, by name."""


class Borrower(Protocol):
    """Who has a session now."""

    prefix: str

    @property
    def described(self) -> Row:
        """Its row in `dfsession.leases`."""


@dataclasses.dataclass(frozen=True)
class Observed:
    """What the engine said of the session when a query last named its tables."""

    settings: Mapping[str, str]
    functions: FunctionsSnapshot


@dataclasses.dataclass(kw_only=True)
class Site:
    """A context under construction, its plan, and what it has got so far.

    Attributes:
        library: The functions that the plan's modules declare.
        catalog: The catalog that the context will ask for tables.
        runtime_env: The runtime that the context is built with.
        spill_dir: Directory of this context alone; None: the system's choice.
        functions: Names of the user functions that it has.
        once: Phase and name of what is there already.
        told: Rows of the tables of the schema `dfsession` that others know.
        borrowers: Who has the session now.
        observed: None: no query has named the tables that show it.
        failed: Path of an optional extension -> why another site had to be left for
            this one, which goes without it.
    """

    plan: SessionPlan
    library: Library
    catalog: SessionCatalog
    runtime_env: RuntimeEnvSnapshot
    spill_dir: str | None = None
    functions: tuple[str, ...] = ()
    once: set[tuple[Phase, str]] = dataclasses.field(default_factory=set)
    built: SessionContext | None = None
    told: Mapping[str, Rows] = dataclasses.field(default_factory=dict)
    borrowers: weakref.WeakSet[Borrower] = dataclasses.field(
        default_factory=weakref.WeakSet
    )
    observed: Observed | None = None
    failed: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def without(self, error: InstallError) -> "Site | None":
        """Return a site to begin again on; None: the error is no affair of an option.

        An extension that raised may have changed the context, and the others with it.
        """
        optional = {each.path: each.optional for each in self.plan.extensions}
        is_of_extension = error.phase == Phase.PLANNING_EXTENSIONS.value
        if (
            not is_of_extension
            or not optional.get(error.item)
            or error.item in self.failed
        ):
            return None
        catalog = SessionCatalog(self.catalog.default_schema)
        catalog.source = self.catalog.source
        return Site(
            plan=self.plan,
            library=self.library,
            catalog=catalog,
            runtime_env=self.runtime_env,
            spill_dir=self.spill_dir,
            told=self.told,
            failed={**self.failed, error.item: str(error)},
        )

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

    @functools.cached_property
    def extensions(self) -> tuple[LoadedExtension, ...]:
        """The plan's extensions; those that are unavailable have no parts.

        Raises:
            InstallError: One is not what the plan takes it for.
        """
        return load_extensions(self.plan.extensions, self.failed)

    @functools.cached_property
    def hooks(self) -> Hooks:
        """The plan's hooks.

        Raises:
            InstallError: One cannot be imported, or is not callable.
        """
        return load_hooks(self.plan.hooks)

    def missing(self, phase: Phase, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of the names that a phase has not installed yet."""
        fresh = (name for name in names if (phase, name) not in self.once)
        return tuple(dict.fromkeys(fresh))

    def installed(self, phase: Phase, *names: str) -> tuple[str, ...]:
        """Note that a phase has installed something; return its names."""
        self.once.update((phase, name) for name in names)
        return names
