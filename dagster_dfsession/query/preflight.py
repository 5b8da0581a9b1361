"""What a query is and names, before anything of it runs."""

import itertools
from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa
from datafusion.catalog import Table

from dagster_dfsession.errors import DfSessionError, SqlPolicyError
from dagster_dfsession.profile.sql import SqlPolicy
from dagster_dfsession.session.catalog import TableName
from dagster_dfsession.session.failures import FLAGS, engine_errors, shortened
from dagster_dfsession.session.parameters import bound_values, missing_values
from dagster_dfsession.session.policy import sql_options
from dagster_dfsession.session.session import NOTHING_BOUND, Session
from dagster_dfsession.session.sql_text import tokens

READ_ONLY = SqlPolicy()


class Preflight(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a query that has not run.

    Attributes:
        kind: What it does: read (`query`), make or drop tables (`ddl`), change or
            write rows (`dml`), or change the session (`statement`). None: it does not
            plan, so nobody knows.
        tables: The tables that it names, as it would spell them, sorted.
        functions: The functions that it names, sorted.
        columns: Of its result; None: it has none, or none is known.
        refusal: Why `sql` would not take it; None: it would.
    """

    kind: str | None
    tables: tuple[str, ...]
    functions: tuple[str, ...]
    columns: pa.Schema | None
    refusal: DfSessionError | None

    @property
    def admitted(self) -> bool:
        """Whether `sql` would take it."""
        return self.refusal is None


def check_sql(
    session: Session,
    query: str,
    *,
    params: Mapping[str, Any] | None = None,
    bound: Mapping[TableName, Table] = NOTHING_BOUND,
) -> Preflight:
    """Plan a query under a policy that lets nothing but queries through.

    The engine creates tables and changes settings while it plans, if it may; here it
    may not, whatever the session's own policy is. The tables that the query names are
    opened, as for `sql`.

    Args:
        session: Whose tables, functions and policy count.
        query: The text.
        params: Values by name.
        bound: Tables that names of this query mean.

    Examples:
        >>> from dagster_dfsession import SessionProfile, open_session, plan_session
        >>> session = open_session(plan_session(SessionProfile(name="dev")))
        >>> check_sql(session, "SELECT abs(-1) AS a").functions
        ('abs',)
        >>> found = check_sql(session, "CREATE TABLE a AS SELECT 1")
        >>> found.kind, found.admitted
        ('ddl', False)
    """
    doing, asked = f"planning {shortened(query)!r}", session.asked(query)
    kind: str | None = None
    columns, refusal, frame = None, None, None
    with session.catalog.planning(bound) as named:
        try:
            values = bound_values(params or {}, doing) or missing_values(query)
            with engine_errors(doing, asked):
                frame = session.ctx.sql_with_options(
                    query, sql_options(READ_ONLY), param_values=values
                )
            kind, columns = "query", frame.schema()
        except SqlPolicyError as error:
            kind = error.family
            refusal = _refusal(session, query, error)
        except DfSessionError as error:
            refusal = error
    return Preflight(
        kind=kind,
        tables=tuple(sorted(session.spelling(name) for name in named)),
        functions=_functions(query, asked.functions()),
        columns=columns,
        refusal=refusal,
    )


def _refusal(
    session: Session, query: str, error: SqlPolicyError
) -> DfSessionError | None:
    """Return what the session's own policy has against it, also inside of it."""
    policy = session.plan.statements.policy
    if not getattr(policy, FLAGS[error.family]):
        return error
    words = [each for each in tokens(query) if each.kind in ("word", "quoted")]
    if not words or words[0].value.upper() != "PREPARE":
        return None
    body = next((each.start for each in words if each.value.upper() == "AS"), None)
    # What is prepared is planned too, and its values are not there yet.
    inner = check_sql(session, query[body + 2 :]) if body is not None else None
    missing = inner is not None and getattr(inner.refusal, "kind", "") == "parameter"
    return None if inner is None or missing else inner.refusal


def _functions(query: str, known: Mapping[str, str]) -> tuple[str, ...]:
    found = list(tokens(query))
    called = {
        each.value if each.kind == "quoted" else each.value.lower()
        for each, after in itertools.pairwise(found)
        if each.kind in ("word", "quoted") and after.value == "("
    }
    return tuple(sorted(called & known.keys()))
