"""What an extension may bring, as protocols: the one list of doors into a session.

Ours are here; for bundles, planners, rules, codecs, catalogs and tables they are
DataFusion's own. Functions come in by modules of functions, not by extensions.
"""

import dataclasses
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

from datafusion import SessionConfig, SessionContext
from datafusion.catalog import CatalogProviderExportable
from datafusion.context import TableProviderExportable
from datafusion.extensions import (
    PhysicalOptimizerRuleExportable,
    QueryPlannerExportable,
    SessionComponentsExportable,
    SessionPlannerExportable,
)
from datafusion.user_defined import (
    LogicalExtensionCodecExportable,
    PhysicalExtensionCodecExportable,
)
from typing_extensions import get_protocol_members


@runtime_checkable
class ExtensionPort(Protocol):
    """What every extension says of itself; it is then one or more of the others.

    Attributes:
        name: What the extension is called; a catalog or table that it exports has
            this name in SQL.
        version: Its own version.
        engine_major: Major version of the DataFusion whose ABI it was built for.
    """

    name: str
    version: str
    engine_major: int


@runtime_checkable
class PlannerExtensionPort(Protocol):
    """Planning rules with settings of their own.

    The first two change the configuration before the context is built from it, the
    last two the context, before it plans its first query.
    """

    def install_config(self, config: SessionConfig) -> object:
        """Set what the logical rules read."""

    def install_physical_config(self, config: SessionConfig) -> object:
        """Set what the physical rules read."""

    def install_rules(self, ctx: SessionContext) -> object:
        """Add the logical rules."""

    def install_physical_rules(self, ctx: SessionContext) -> object:
        """Add the physical rules."""


@runtime_checkable
class TracingPort(Protocol):
    """Traces of what the engine does while it runs a plan."""

    def install_tracing(self, ctx: SessionContext) -> object:
        """Trace the operators of every plan of the session."""


@runtime_checkable
class PhysicalExprAdapterPort(Protocol):
    """Expressions made to fit files whose columns are not those of the table."""

    def install_physical_expr_adapter(self, ctx: SessionContext) -> object:
        """Adapt the expressions of every scan of the session."""


@runtime_checkable
class ExtensionOptionsExportable(Protocol):
    """Settings under a prefix of their own; DataFusion has no protocol for these."""

    def __datafusion_extension_options__(self) -> object:
        """Return the capsule that `SessionConfig.with_extension` takes."""


_PORTS: tuple[Any, ...] = (
    PlannerExtensionPort,
    TracingPort,
    PhysicalExprAdapterPort,
    ExtensionOptionsExportable,
    SessionComponentsExportable,
    SessionPlannerExportable,
    QueryPlannerExportable,
    PhysicalOptimizerRuleExportable,
    LogicalExtensionCodecExportable,
    PhysicalExtensionCodecExportable,
    CatalogProviderExportable,
    TableProviderExportable,
)
PORTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {each.__name__: tuple(sorted(get_protocol_members(each))) for each in _PORTS}
)
"""Port -> its methods. An object is a port if it has all of them."""

METHODS: frozenset[str] = frozenset(name for names in PORTS.values() for name in names)

CLAIM = re.compile(r"install_\w+|__datafusion_\w+__")
"""A method of this form is meant for a port: one that no port has was renamed."""

BESIDE = frozenset({"__datafusion_codec_id__", "__datafusion_task_context_provider__"})
"""What belongs to a port without being called: who a codec is, where it runs."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExtensionBundle:
    """An `ExtensionPort` over things that do not say themselves what they are.

    Attributes:
        parts: What it brings, each one or more ports, installed in this order. The
            name of a catalog or a table is what queries call it.

    Examples:
        >>> from datafusion import SessionContext
        >>> def planner():
        ...     return ExtensionBundle(
        ...         name="second-planner",
        ...         version="1.0",
        ...         engine_major=55,
        ...         parts={"planner": SessionContext()},
        ...     )
        >>> isinstance(planner(), ExtensionPort)
        True
    """

    name: str
    version: str
    engine_major: int
    parts: Mapping[str, object]
