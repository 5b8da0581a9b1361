"""Components for `dg`; an entry point of the package registers this module."""

from dagster_dfsession.components.session import SessionResourceComponent
from dagster_dfsession.components.sql_assets import SqlAssetsComponent

__all__ = ["SessionResourceComponent", "SqlAssetsComponent"]
