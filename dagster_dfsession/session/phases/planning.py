"""What has to be there before the first query is planned."""

from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.adapters import bundled, install_ports
from dagster_dfsession.session.rules import add_rules, remove_rules
from dagster_dfsession.session.site import Site


def install_planning_extensions(site: Site) -> tuple[str, ...]:
    """Install the plan's extensions, then change the rules of the optimizer.

    Raises:
        InstallError: An extension raised, or a rule is not what the plan takes it for.
    """
    phase, rules = Phase.PLANNING_EXTENSIONS, site.plan.rules
    there = [each for each in site.extensions if each.parts]
    fresh = site.missing(phase, [each.entry.path for each in there])
    found = [each for each in there if each.entry.path in fresh]
    if found:
        site.built = bundled(site.ctx, found)
        install_ports(site.ctx, site.catalog, site.plan.catalog, found)
        site.installed(phase, *fresh)
    removed = site.missing(phase, [f"without {rule}" for rule in rules.remove])
    remove_rules(site.ctx, [each.removeprefix("without ") for each in removed])
    added = site.missing(phase, rules.add)
    add_rules(site.ctx, added)
    return fresh + site.installed(phase, *removed, *added)
