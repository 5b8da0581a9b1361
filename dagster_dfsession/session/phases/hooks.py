"""User code that changes the context."""

from dagster_dfsession.errors import InstallError
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.imports import import_object
from dagster_dfsession.session.site import Site


def install_hooks(site: Site) -> tuple[str, ...]:
    """Call each hook with the context, in the plan's order, once per context.

    Raises:
        InstallError: A hook cannot be imported, is not callable, or raised.
    """
    fresh = site.missing(Phase.EXTENSION_HOOKS, site.plan.hooks)
    for path in fresh:
        try:
            import_object(path)(site.ctx)
        except Exception as error:
            raise InstallError.during(
                Phase.EXTENSION_HOOKS.value, path, f"{type(error).__name__}: {error}"
            ) from error
        site.installed(Phase.EXTENSION_HOOKS, path)
    return fresh
