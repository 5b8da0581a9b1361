"""How far the table of an incremental query has come."""

from typing import Any, NamedTuple

from dagster_dfsession.delta.turns import turns_taken, watermark_turn
from dagster_dfsession.plan.quoting import quoted_identifier
from dagster_dfsession.pool.asking import read_query
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.run import RunSession
from dagster_dfsession.pool.tables import OpenedTable
from dagster_dfsession.session.catalog import TableName


class Newest(NamedTuple):
    """How far a table has come.

    Attributes:
        value: The maximum of its watermark, an Arrow scalar; None: there is none.
        rows: How many it has.
    """

    value: Any | None
    rows: int


def note_watermark(
    name: TableName, run: RunSession, lease: Lease
) -> OpenedTable | None:
    """Note whose turn it is to write a table, at the version that the run reads.

    Of runs that note the same, one commits.

    Args:
        name: The table that the step is going to write.
        run: The session of the run.
        lease: The session as lent to the step.

    Returns:
        The table; None: there is none yet.

    Raises:
        DeltaError: It cannot be opened.
    """
    opened = run.tables.find(name)
    key = run.tables.key_of(name) if opened is None else opened.key
    turn = watermark_turn("/".join(key))
    if opened is not None:
        taken = turns_taken(opened.delta, opened.location, [turn])
        lease.note_turns(opened.location, taken)
        return opened
    for lake in run.tables.lakes:
        place = lake.table(key)
        lease.note_turns(place, turns_taken(None, place, [turn]))
    return None


def read_watermark(
    column: str, name: TableName, run: RunSession, lease: Lease
) -> Newest:
    """Return the maximum of a column of a table, and note it as `note_watermark` does.

    Args:
        column: The column.
        name: The table that the step is going to write.
        run: The session of the run.
        lease: The session as lent to the step.

    Raises:
        QueryError: The table has no such column.
        DeltaError: It cannot be opened.
    """
    if note_watermark(name, run, lease) is None:
        return Newest(None, 0)
    table = ".".join(map(quoted_identifier, name))
    asked = f"max({quoted_identifier(column)}) AS newest, count(*) AS total"
    query = f"SELECT {asked} FROM {table}"  # noqa: S608  # names, quoted
    with read_query(query, run, lease, params=None, tables={}) as result:
        found = result.to_table()
    newest = found.column("newest")[0]
    value = newest if newest.is_valid else None
    return Newest(value, found.column("total")[0].as_py())
