"""User code that changes the context."""

from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.site import Site


def install_hooks(site: Site) -> tuple[str, ...]:
    """Call each hook with the context, in the plan's order, once per context.

    Raises:
        InstallError: A hook cannot be imported, or raised and the profile does not
            say that this is only logged.
    """
    phase = Phase.EXTENSION_HOOKS
    fresh = site.missing(phase, site.plan.hooks.after_session)
    if fresh and site.hooks.after_session is not None:
        site.hooks.after_session(site.ctx)
    return site.installed(phase, *fresh)
