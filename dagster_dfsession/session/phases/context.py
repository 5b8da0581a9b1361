"""The context itself: configuration, memory, disk."""

from collections.abc import Callable

from datafusion import SessionConfig, SessionContext

from dagster_dfsession.errors import SettingError
from dagster_dfsession.plan.quoting import quoted_literal
from dagster_dfsession.plan.settings import DYNAMIC_FILTERS, Setting
from dagster_dfsession.session.adapters import configure
from dagster_dfsession.session.engine_settings import default_settings
from dagster_dfsession.session.runtime_env import build_runtime_env
from dagster_dfsession.session.site import Site
from dagster_dfsession.session.versions import check_pair, installed


def install_context(site: Site) -> tuple[str, ...]:
    """Build the context with all its settings.

    Raises:
        EngineVersionError: datafusion and deltalake do not fit together.
        InstallError: An extension is not what the plan takes it for.
        SettingError: This DataFusion lacks a key, or cannot read its value.
    """
    if site.built is not None:
        return ()
    check_pair(installed("datafusion"), installed("deltalake"))
    names = site.plan.catalog
    config = (
        SessionConfig()
        .with_create_default_catalog_and_schema(enabled=False)
        .with_default_catalog_and_schema(names.default_catalog, names.default_schema)
        .with_information_schema(enabled=names.information_schema)
    )
    configure(config, site.extensions)
    ordered = sorted(site.plan.settings, key=lambda each: each.key != DYNAMIC_FILTERS)
    for setting in ordered:
        if not setting.is_runtime:
            _apply(setting, lambda each: config.set(each.key, each.value))
    ctx = SessionContext(config, build_runtime_env(site.runtime_env, site.spill_dir))
    for setting in site.plan.settings:
        if setting.is_runtime:
            _apply(setting, lambda each: _set(ctx, each))
    site.built = ctx
    return tuple(setting.key for setting in site.plan.settings)


def _set(ctx: SessionContext, setting: Setting) -> None:
    if setting.key not in default_settings():
        raise ValueError("this engine has no such setting")
    ctx.sql(f"SET {setting.key} = {quoted_literal(setting.value)}")


def _apply(setting: Setting, action: Callable[[Setting], object]) -> None:
    try:
        action(setting)
    except Exception as error:
        raise SettingError.refused(
            setting.key,
            setting.value,
            reason=str(error).splitlines()[-1].rstrip(".") + ".",
            known=default_settings(),
        ) from error
