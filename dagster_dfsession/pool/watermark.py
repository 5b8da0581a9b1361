"""How far the table of an incremental query has come."""

from typing import Any, NamedTuple

from dagster_dfsession.delta.turns import turns_taken, watermark_turn
from dagster_dfsession.plan.quoting import quoted_identifier
from dagster_dfsession.pool.asking import read_query
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.session.catalog import TableName


class Newest(NamedTuple):
    """How far a table has come.

    Attributes:
        value: The maximum, an Arrow scalar; None: there is none.
        rows: How many the table has.
    """

    value: Any | None
    rows: int


def read_watermark(
    column: str, name: TableName, run: RunSession, lease: Lease
) -> Newest:
    """Return the maximum of a column of a table that the step is going to write.

    It is that of the version that the run reads. Of runs that read it at the same time,
    one commits what it made of the rows after it.

    Args:
        column: The column.
        name: The table.
        run: The session of the run.
        lease: The session as lent to the step.

    Raises:
        QueryError: The table has no such column.
        DeltaError: The table cannot be read.
    """
    opened = run.tables.find(name)
    key = run.tables.key_of(name) if opened is None else opened.key
    turn = watermark_turn("/".join(key))
    places = (
        [lake.table(key) for lake in run.tables.lakes]
        if opened is None
        else [opened.location]
    )
    for place in places:
        delta = None if opened is None else opened.delta
        lease.note_turns(place, turns_taken(delta, place, [turn]))
    if opened is None:
        return Newest(None, 0)
    table = ".".join(map(quoted_identifier, name))
    asked = f"max({quoted_identifier(column)}) AS newest, count(*) AS total"
    query = f"SELECT {asked} FROM {table}"  # noqa: S608  # names, quoted
    with read_query(query, run, lease, params=None, tables={}) as result:
        found = result.to_table()
    newest = found.column("newest")[0]
    value = newest if newest.is_valid else None
    return Newest(value, found.column("total")[0].as_py())
