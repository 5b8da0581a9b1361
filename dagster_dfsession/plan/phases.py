"""The phases in which a session is built, and what each needs before it."""

import enum
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType

from dagster_dfsession.errors import DfSessionError, listing


class Phase(str, enum.Enum):
    """One concern of building a session; planning needs all but the last."""

    CONTEXT = "context"
    FILESYSTEMS = "filesystems"
    PLANNING_EXTENSIONS = "planning_extensions"
    CATALOGS = "catalogs"
    FUNCTIONS = "functions"
    SCHEMA_GUARDS = "schema_guards"
    PREPARED_STATEMENTS = "prepared_statements"
    EXTENSION_HOOKS = "extension_hooks"
    OBSERVABILITY = "observability"


REQUIRES: Mapping[Phase, tuple[Phase, ...]] = MappingProxyType(
    {
        Phase.CONTEXT: (),
        Phase.FILESYSTEMS: (Phase.CONTEXT,),
        Phase.PLANNING_EXTENSIONS: (Phase.FILESYSTEMS,),
        Phase.CATALOGS: (Phase.PLANNING_EXTENSIONS,),
        Phase.FUNCTIONS: (Phase.CATALOGS,),
        Phase.SCHEMA_GUARDS: (Phase.FUNCTIONS,),
        Phase.PREPARED_STATEMENTS: (Phase.SCHEMA_GUARDS,),
        Phase.EXTENSION_HOOKS: (Phase.PREPARED_STATEMENTS,),
        Phase.OBSERVABILITY: (Phase.EXTENSION_HOOKS,),
    }
)


def ordered(requires: Mapping[Phase, tuple[Phase, ...]]) -> tuple[Phase, ...]:
    """Return the phases so that each comes after all that it requires.

    Raises:
        DfSessionError: A prerequisite is missing, or phases require each other.

    Examples:
        >>> [phase.value for phase in ordered(REQUIRES)][:2]
        ['context', 'filesystems']
    """
    missing = {need for needs in requires.values() for need in needs} - set(requires)
    if missing:
        names = listing(phase.value for phase in missing)
        raise DfSessionError(f"phases are required that are not planned: {names}")
    try:
        return tuple(TopologicalSorter(requires).static_order())
    except CycleError as error:
        circle = " -> ".join(phase.value for phase in error.args[1])
        raise DfSessionError(f"phases require each other: {circle}") from None
