"""Phase by phase, from nothing to a session: one installer for each phase."""

from collections.abc import Mapping
from types import MappingProxyType

from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.phases.catalogs import install_catalogs
from dagster_dfsession.session.phases.context import install_context
from dagster_dfsession.session.phases.filesystems import install_filesystems
from dagster_dfsession.session.phases.functions import install_user_functions
from dagster_dfsession.session.phases.hooks import install_hooks
from dagster_dfsession.session.phases.observability import install_observability
from dagster_dfsession.session.phases.planning import install_planning_extensions
from dagster_dfsession.session.phases.schema_guards import install_schema_guards
from dagster_dfsession.session.site import Installer

INSTALLERS: Mapping[Phase, Installer] = MappingProxyType(
    {
        Phase.CONTEXT: install_context,
        Phase.FILESYSTEMS: install_filesystems,
        Phase.CATALOGS: install_catalogs,
        Phase.FUNCTIONS: install_user_functions,
        Phase.SCHEMA_GUARDS: install_schema_guards,
        Phase.PLANNING_EXTENSIONS: install_planning_extensions,
        Phase.EXTENSION_HOOKS: install_hooks,
        Phase.OBSERVABILITY: install_observability,
    }
)
