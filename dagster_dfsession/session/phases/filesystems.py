"""Where files may be read from."""

from dagster_dfsession.session.site import Site

URL_TABLES = "url tables"


def install_filesystems(site: Site) -> tuple[str, ...]:
    """Let queries name files as tables, if the profile asks for it."""
    if not site.plan.statements.url_tables or URL_TABLES in site.once:
        return ()
    site.built = site.ctx.enable_url_table()
    site.once.add(URL_TABLES)
    return (URL_TABLES,)
