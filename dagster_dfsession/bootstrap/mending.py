"""What else is wrong with a query, and what it would make, were its columns there."""

from collections.abc import Iterable

import pyarrow as pa

from dagster_dfsession.bootstrap.request import Query
from dagster_dfsession.bootstrap.tables import SmallTables, engine_table
from dagster_dfsession.errors import ColumnNotFoundError, QueryError
from dagster_dfsession.session.session import Session
from dagster_dfsession.session.sql_text import tokens

_MOST = 20
"""Errors of one query that are told."""


def mended(
    session: Session,
    query: Query,
    error: QueryError,
    tables: SmallTables,
    reads: Iterable[str],
) -> tuple[tuple[QueryError, ...], pa.Schema | None]:
    """Plan a query again, each time with the column that it misses.

    The engine stops at the first column that is not there. With that one added, to the
    table that makes the error go, it says the next.

    Args:
        session: Plans.
        query: What did not plan.
        error: Why.
        tables: Those that are there.
        reads: The keys of those that the query reads.

    Returns:
        All errors, and the columns that the query would make; None: it cannot be told.
    """
    if error.kind == "dialect":  # it plans here, and another engine is to run it
        found = _planned(session, query, {}, tables)
        return (error,), found if isinstance(found, pa.Schema) else None
    errors = [error]
    columns = {key: tables[key].schema for key in sorted(reads)}
    while isinstance(errors[-1], ColumnNotFoundError) and len(errors) < _MOST:
        name, meant = _bare(errors[-1].name), _bare(errors[-1].suggestion)
        # First where what was meant is: that has the type, too.
        lacking = [each for each in columns if name not in columns[each].names]
        for key in sorted(lacking, key=lambda each: meant not in columns[each].names):
            trial = columns | {key: _with_column(columns[key], name, meant)}
            found = _planned(session, query, trial, tables)
            if isinstance(found, pa.Schema):
                return tuple(errors), found
            if (found.name, found.places) != (errors[-1].name, errors[-1].places):
                columns = trial
                errors.append(found)
                break
        else:
            break
    return tuple(errors), None


def _with_column(schema: pa.Schema, name: str, meant: str) -> pa.Schema:
    """Return the columns and one more, of the type of what was meant."""
    kind = schema.field(meant).type if meant in schema.names else pa.null()
    return schema.append(pa.field(name, kind))


def _bare(name: str | None) -> str:
    """Return `dest` for `flights.dest`."""
    return [each.value for each in tokens(name or "")][-1] if name else ""


def _planned(
    session: Session,
    query: Query,
    columns: dict[str, pa.Schema],
    tables: SmallTables,
) -> pa.Schema | QueryError:
    bound = {
        tables.name(key): engine_table(schema.empty_table())
        for key, schema in columns.items()
    }
    try:
        return session.sql(query.sql, params=query.params, bound=bound).schema()
    except QueryError as error:
        return error
