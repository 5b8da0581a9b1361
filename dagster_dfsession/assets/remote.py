"""Queries of assets that another engine runs."""

from collections.abc import Mapping
from typing import Any

from dagster_dfsession.engines.remote import RemoteQuery, plan_remote
from dagster_dfsession.resources import DataFusionSessionResource


def remote_query(
    dfsession: DataFusionSessionResource,
    query: str,
    *,
    params: Mapping[str, Any] | None = None,
) -> RemoteQuery:
    """Plan a query of the running asset for Sail: one that is too big for a machine.

    Return it from the asset, and the IO manager writes its rows as it writes those of
    a frame. It also is an Arrow stream: `pyarrow.table(remote_query(...))` runs it.

    Args:
        dfsession: The session of the step; `sail` of its profile says where Sail is.
        query: Spark's SQL over the tables of the lake, by their asset keys.
        params: Values by name, for `$name` in it.

    Raises:
        QueryError: It does not plan, or the two engines would answer it differently.
        SessionError: The extra `sail` is not installed.
    """
    run = dfsession.run
    return plan_remote(query, run, dfsession.lease, params=params)
