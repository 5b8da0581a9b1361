"""The catalog that turns names into tables when a query asks for them."""

from dagster_dfsession.session.site import Site


def install_catalogs(site: Site) -> tuple[str, ...]:
    """Register the session's catalog under the profile's name for it."""
    name = site.plan.catalog.default_catalog
    site.ctx.register_catalog_provider(name, site.catalog)
    return (name,)
