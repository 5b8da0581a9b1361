"""Statements that are planned once, to be executed by name."""

from dagster_dfsession.errors import InstallError
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.failures import shortened
from dagster_dfsession.session.site import Site


def install_prepared_statements(site: Site) -> tuple[str, ...]:
    """Prepare the plan's statements; the engine takes each name once.

    Raises:
        InstallError: A statement does not plan; the message has the engine's reason.
    """
    phase = Phase.PREPARED_STATEMENTS
    prepared = site.plan.statements.prepared
    fresh = site.missing(phase, [each.name for each in prepared])
    for each in prepared:
        if each.name not in fresh:
            continue
        types = f"({', '.join(each.types)})" if each.types else ""
        try:
            site.ctx.sql(f"PREPARE {each.name}{types} AS {each.sql}")
        except Exception as error:
            raise InstallError.during(
                phase.value, each.name, f"{error} in {shortened(each.sql)!r}"
            ) from error
        site.installed(phase, each.name)
    return fresh
