"""From the ports of extensions to what DataFusion takes, in the profile's order."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from datafusion import SessionConfig, SessionContext, SessionExtensionComponents
from datafusion.catalog import Table

from dagster_dfsession.errors import DfSessionError, InstallError
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.profile.catalog import CatalogProfile
from dagster_dfsession.session.catalog import SessionCatalog
from dagster_dfsession.session.extensions import ExtensionEntry, LoadedExtension, Part

_NESTING = {"SessionPlannerExportable"}
_BUNDLED = _NESTING | {
    "SessionComponentsExportable",
    "QueryPlannerExportable",
    "LogicalExtensionCodecExportable",
    "PhysicalExtensionCodecExportable",
}


def configure(config: SessionConfig, extensions: Iterable[LoadedExtension]) -> None:
    """Add the settings of extensions, before those of the profile are set.

    Raises:
        InstallError: An extension raised; the message names it and the method.
    """
    for entry, part in _parts(extensions):
        with _calling(entry, "__datafusion_extension_options__"):
            if "ExtensionOptionsExportable" in part.ports:
                config.with_extension(part.given)
        if "PlannerExtensionPort" in part.ports:
            with _calling(entry, "install_config"):
                part.given.install_config(config)
            with _calling(entry, "install_physical_config"):
                part.given.install_physical_config(config)


def bundled(
    ctx: SessionContext, extensions: Iterable[LoadedExtension]
) -> SessionContext:
    """Return the context with all codecs, then all planners, of extensions.

    Planners nest in the order of the extensions, the last outermost.

    Raises:
        InstallError: An extension raised, or its planner would replace another's.
    """
    bundles: list[_Bundle] = []
    planner: ExtensionEntry | None = None
    for entry, part in _parts(extensions):
        if not part.ports & _BUNDLED:
            continue
        plans = part.ports & {"QueryPlannerExportable", *_NESTING}
        if plans and planner is not None and not plans & _NESTING:
            raise _refused(
                entry,
                f"its planner would replace that of {planner.name}, which it cannot "
                f"wrap; name {entry.path!r} before {planner.path!r}, or let it have "
                "__datafusion_session_planner__",
            )
        planner = entry if plans else planner
        bundles.append(_Bundle(entry, part))
    if not bundles:
        return ctx
    try:
        return ctx.with_extensions(*bundles)
    except DfSessionError:
        raise
    except Exception as error:
        names = ", ".join(dict.fromkeys(each.entry.name for each in bundles))
        raise _refused(
            bundles[-1].entry, f"with_extensions refused {names}: {error}"
        ) from error


def install_ports(
    ctx: SessionContext,
    catalog: SessionCatalog,
    names: CatalogProfile,
    extensions: Iterable[LoadedExtension],
) -> None:
    """Install what changes a context in place: rules, adapters, tracing, catalogs.

    Args:
        ctx: From `bundled`.
        catalog: The session's own, which gets the tables.
        names: Its name, and that of its schema for them.
        extensions: In the profile's order.

    Raises:
        InstallError: An extension raised, or brings a catalog or table whose name is
            taken; the message names it and the method.
    """
    for entry, part in _parts(extensions):
        if "PlannerExtensionPort" in part.ports:
            with _calling(entry, "install_rules"):
                part.given.install_rules(ctx)
            with _calling(entry, "install_physical_rules"):
                part.given.install_physical_rules(ctx)
        if "PhysicalOptimizerRuleExportable" in part.ports:
            with _calling(entry, "__datafusion_physical_optimizer_rule__"):
                ctx.add_physical_optimizer_rule(part.given)
        if "PhysicalExprAdapterPort" in part.ports:
            with _calling(entry, "install_physical_expr_adapter"):
                part.given.install_physical_expr_adapter(ctx)
        if "TracingPort" in part.ports:
            with _calling(entry, "install_tracing"):
                part.given.install_tracing(ctx)
        if "CatalogProviderExportable" in part.ports:
            if part.name in {names.default_catalog, *ctx.catalog_names()}:
                raise _taken(entry, f"a catalog {part.name!r}")
            with _calling(entry, "__datafusion_catalog_provider__"):
                ctx.register_catalog_provider(part.name, part.given)
                # The engine takes any object, and would find no table in it.
                ctx.catalog(part.name).names()
        if "TableProviderExportable" in part.ports:
            name = (names.default_schema, part.name)
            if name in catalog.registered:
                raise _taken(entry, f"a table {part.name!r}")
            with _calling(entry, "__datafusion_table_provider__"):
                catalog.add(name, Table(part.given))


@dataclass(frozen=True)
class _Bundle:
    """A part as `with_extensions` takes it, whose failures are told by name."""

    entry: ExtensionEntry
    part: Part

    def __datafusion_session_components__(
        self, ctx: SessionContext
    ) -> SessionExtensionComponents:
        ports, given = self.part.ports, self.part.given
        if "SessionComponentsExportable" in ports:
            with _calling(self.entry, "__datafusion_session_components__"):
                found: SessionExtensionComponents = (
                    given.__datafusion_session_components__(ctx)
                )
                return found
        logical = "LogicalExtensionCodecExportable" in ports
        physical = "PhysicalExtensionCodecExportable" in ports
        return SessionExtensionComponents(
            logical_extension_codecs=(given,) if logical else (),
            physical_extension_codecs=(given,) if physical else (),
        )

    def __datafusion_session_planner__(
        self, ctx: SessionContext, fallback: object
    ) -> object:
        ports, given = self.part.ports, self.part.given
        if "SessionPlannerExportable" in ports:
            with _calling(self.entry, "__datafusion_session_planner__"):
                return given.__datafusion_session_planner__(ctx, fallback)
        return given if "QueryPlannerExportable" in ports else None


def _parts(
    extensions: Iterable[LoadedExtension],
) -> Iterator[tuple[ExtensionEntry, Part]]:
    return ((each.entry, part) for each in extensions for part in each.parts)


@contextlib.contextmanager
def _calling(entry: ExtensionEntry, method: str) -> Iterator[Any]:
    try:
        yield
    except Exception as error:
        raise _refused(
            entry,
            f"{entry.name} {entry.version}: {method} raised "
            f"{type(error).__name__}: {error}",
        ) from error


def _taken(entry: ExtensionEntry, what: str) -> InstallError:
    return _refused(
        entry,
        f"{entry.name} {entry.version} brings {what}, and the session has another of "
        "this name; call it otherwise in the parts of an ExtensionBundle",
    )


def _refused(entry: ExtensionEntry, reason: str) -> InstallError:
    return InstallError.during(Phase.PLANNING_EXTENSIONS.value, entry.path, reason)
