"""A session whose queries fail, and what is said of that."""

from collections.abc import Mapping

import pytest

from dagster_dfsession.errors import QueryError
from dagster_dfsession.session.failures import engine_errors
from dagster_dfsession.session.session import Session


def failure(session: Session, query: str) -> QueryError:
    with pytest.raises(QueryError) as failed, engine_errors("computing it"):
        session.sql(query).collect()
    return failed.value


def told(session: Session, *queries: str) -> Mapping[str, tuple[str, str]]:
    """Return query -> kind and message, less the query in it."""
    found = {query: failure(session, query) for query in queries}
    return {
        query: (error.kind, str(error).removeprefix(f"planning {query!r}"))
        for query, error in found.items()
    }
