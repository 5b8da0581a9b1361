"""What has to be there before the first query is planned."""

from dagster_dfsession.errors import InstallError
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.site import Site


def install_planning_extensions(site: Site) -> tuple[str, ...]:
    """Prepare the plan's statements; the engine takes each name once.

    Raises:
        InstallError: A statement does not plan; the message has the engine's reason.
    """
    fresh = [
        each for each in site.plan.statements.prepared if each.name not in site.once
    ]
    for each in fresh:
        types = f"({', '.join(each.types)})" if each.types else ""
        try:
            site.ctx.sql(f"PREPARE {each.name}{types} AS {each.sql}")
        except Exception as error:
            raise InstallError.during(
                Phase.PLANNING_EXTENSIONS.value, each.name, f"{error} in {each.sql!r}"
            ) from error
        site.once.add(each.name)
    return tuple(each.name for each in fresh)
