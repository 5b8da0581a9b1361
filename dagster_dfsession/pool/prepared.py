"""Prepared statements of a profile, with values of the types they declare."""

from collections.abc import Sequence
from typing import Any

from datafusion import DataFrame

from dagster_dfsession.errors import QueryError, did_you_mean, listing
from dagster_dfsession.pool.asking import plan_query
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.profile.sql import Prepared
from dagster_dfsession.session.failures import engine_errors
from dagster_dfsession.session.parameters import prepared_values, sql_types


def plan_prepared(
    name: str, values: Sequence[Any], run: RunSession, lease: Lease
) -> DataFrame:
    """Plan a prepared statement; nothing runs yet.

    It is its own query, with the values bound to `$1, $2 ...`: no policy has to let
    `EXECUTE` through, and the policy counts for what it does.

    Raises:
        QueryError: There is no such statement, or a value is not of its type.
    """
    prepared = _named(name, lease.session.plan.statements.prepared)
    with engine_errors(f"reading the types of the prepared statement {name!r}"):
        types = sql_types(lease.session.ctx, prepared.types)
    params = prepared_values(prepared, types, values)
    return plan_query(prepared.sql, run, lease, params=params, tables={})


def _named(name: str, there: Sequence[Prepared]) -> Prepared:
    known = [each.name for each in there]
    for each in there:
        if each.name == name:
            return each
    raise QueryError(
        f"there is no prepared statement {name!r}; there is {listing(known)}."
        f"{did_you_mean(name, known)} The profile declares them: sql: {{prepared: "
        "[{name: ..., sql: ..., types: [...]}]}."
    )
