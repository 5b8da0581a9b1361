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
        if _spelt(effective[setting.key]) != _spelt(setting.value):
            raise InstallError.during(
                Phase.SCHEMA_GUARDS.value,
                setting.key,
                f"{setting.source} asks for {setting.value!r}, "
                f"the engine has {effective[setting.key]!r}",
            )
    return tuple(setting.key for setting in wanted)


def _spelt(value: str) -> str:
    text = value.strip().lower()
    return str(int(text)) if text.isdigit() else text
