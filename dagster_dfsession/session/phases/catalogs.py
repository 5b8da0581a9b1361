"""The catalog that turns names into tables when a query asks for them."""

from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.site import Site


def install_catalogs(site: Site) -> tuple[str, ...]:
    """Register the session's catalog under the profile's name for it."""
    names = site.missing(Phase.CATALOGS, [site.plan.catalog.default_catalog])
    for name in names:
        site.ctx.register_catalog_provider(name, site.catalog)
    return site.installed(Phase.CATALOGS, *names)
