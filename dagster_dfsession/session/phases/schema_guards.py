"""Proof that the engine took what was set."""

from dagster_dfsession.errors import InstallError
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.session.engine_settings import read_settings
from dagster_dfsession.session.site import Site


def install_schema_guards(site: Site) -> tuple[str, ...]:
    """Read every config setting back and compare it with what the plan wants.

    Raises:
        InstallError: A setting reads otherwise than it was set.
    """
    effective = read_settings(site.ctx)
    wanted = [setting for setting in site.plan.settings if not setting.is_runtime]
    for setting in wanted:
        found = effective.get(setting.key)
        if found is None or _meant(found) != _meant(setting.value):
            raise InstallError.during(
                Phase.SCHEMA_GUARDS.value,
                setting.key,
                f"{setting.source} asks for {setting.value!r}, "
                f"the engine has {found!r}; write it as the engine does",
            )
    keys = site.missing(Phase.SCHEMA_GUARDS, [setting.key for setting in wanted])
    return site.installed(Phase.SCHEMA_GUARDS, *keys)


def _meant(value: str) -> str | float:
    """Return what two spellings of one value have in common."""
    for number in (int, float):
        try:
            return number(value)
        except ValueError:
            continue
    return value.lower()
