"""Phase by phase, from nothing to a session: one installer for each phase."""

import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType

from dagster_dfsession.errors import DfSessionError, InstallError, listing
from dagster_dfsession.plan.build import PhaseStep
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.phases.catalogs import install_catalogs
from dagster_dfsession.session.phases.context import install_context
from dagster_dfsession.session.phases.filesystems import install_filesystems
from dagster_dfsession.session.phases.functions import install_user_functions
from dagster_dfsession.session.phases.hooks import install_hooks
from dagster_dfsession.session.phases.observability import install_observability
from dagster_dfsession.session.phases.planning import install_planning_extensions
from dagster_dfsession.session.phases.schema_guards import install_schema_guards
from dagster_dfsession.session.phases.statements import install_prepared_statements
from dagster_dfsession.session.report import PhaseReport
from dagster_dfsession.session.site import Installer, Site

INSTALLERS: Mapping[Phase, Installer] = MappingProxyType(
    {
        Phase.CONTEXT: install_context,
        Phase.FILESYSTEMS: install_filesystems,
        Phase.PLANNING_EXTENSIONS: install_planning_extensions,
        Phase.CATALOGS: install_catalogs,
        Phase.FUNCTIONS: install_user_functions,
        Phase.SCHEMA_GUARDS: install_schema_guards,
        Phase.PREPARED_STATEMENTS: install_prepared_statements,
        Phase.EXTENSION_HOOKS: install_hooks,
        Phase.OBSERVABILITY: install_observability,
    }
)


def run_phases(
    site: Site,
    installers: Mapping[Phase, Installer] = INSTALLERS,
    around: Callable[[Phase], AbstractContextManager[object]] = contextlib.nullcontext,
) -> tuple[PhaseReport, ...]:
    """Run the plan's phases in order; what a context has already is left alone.

    Args:
        site: What they change.
        installers: What each phase does.
        around: Entered for the length of each; planning itself knows no telemetry.

    Raises:
        SettingError: The engine refused a setting.
        InstallError: A phase failed; the message names the phase and what it was at.
    """
    return tuple(
        PhaseReport(
            phase=step.phase,
            installed=_installed(step, site, installers[step.phase], around),
        )
        for step in site.plan.steps
    )


def _installed(
    step: PhaseStep,
    site: Site,
    install: Installer,
    around: Callable[[Phase], AbstractContextManager[object]],
) -> tuple[str, ...]:
    try:
        with around(step.phase):
            return install(site)
    except DfSessionError:
        raise
    except Exception as error:
        raise InstallError.during(
            step.phase.value, listing(step.items), f"{type(error).__name__}: {error}"
        ) from error
