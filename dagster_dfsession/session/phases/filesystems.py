"""Where files may be read from."""

from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.site import Site

URL_TABLES = "url tables"


def install_filesystems(site: Site) -> tuple[str, ...]:
    """Let queries name files as tables, if the profile asks for it."""
    wanted = (URL_TABLES,) if site.plan.statements.url_tables else ()
    names = site.missing(Phase.FILESYSTEMS, wanted)
    if names:
        site.built = site.ctx.enable_url_table()
    return site.installed(Phase.FILESYSTEMS, *names)
