"""Settings as the engine has them: its own defaults, and those in effect."""

import functools
from collections.abc import Mapping
from types import MappingProxyType

from datafusion import SessionConfig, SessionContext

from dagster_dfsession.errors import SnapshotError

READ = "SELECT name, value FROM information_schema.df_settings"


def read_settings(ctx: SessionContext) -> dict[str, str]:
    """Return every effective setting, sorted by key; an unset one is an empty text.

    Raises:
        SnapshotError: The engine did not answer with its settings.

    Source:
        https://datafusion.apache.org/user-guide/configs.html
    """
    try:
        rows = ctx.sql(READ).to_pydict()
    except Exception as error:
        raise SnapshotError(
            f"the session's settings could not be read: {error}"
        ) from error
    settings = dict(sorted(zip(rows["name"], rows["value"], strict=True)))
    if not settings:
        raise SnapshotError("the session reports no settings at all")
    return {key: value or "" for key, value in settings.items()}


@functools.cache
def default_settings() -> Mapping[str, str]:
    """Return what a session has if nobody asks for anything, on this machine."""
    config = SessionConfig().with_information_schema(enabled=True)
    return MappingProxyType(read_settings(SessionContext(config)))
