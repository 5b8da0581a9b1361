"""The inputs of a step: tables that it was given, or that its queries name."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from datafusion import DataFrame

from dagster_dfsession.plan.quoting import quoted_identifier
from dagster_dfsession.pool.tables import OpenedTable, RunTables
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.session.catalog import TableName


class Narrowing(Frozen, frozen=True):
    """What of a table a step is given.

    Attributes:
        filters: Conditions in SQL, all of which hold.
        columns: None: all of them.

    Examples:
        >>> Narrowing(filters=("n > 1",)).columns is None
        True
    """

    filters: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None

    def of(self, rows: DataFrame) -> DataFrame:
        """Return of the rows of a whole table those that the step is given."""
        for each in self.filters:
            rows = rows.filter(each)
        if self.columns is None:
            return rows
        return rows.select(*map(quoted_identifier, self.columns))


class LoadedInput(NamedTuple):
    """A table as an input of a step.

    Attributes:
        partition_keys: Those that the step reads; None: the whole table.
        narrowing: What of it the step was given.
        given: Whether it was; else its query named the table.
    """

    opened: OpenedTable
    partition_keys: tuple[str, ...] | None
    narrowing: Narrowing
    given: bool = True


def whole_input(opened: OpenedTable) -> LoadedInput:
    """Return a table that a query names, and reads as it is."""
    return LoadedInput(opened, None, Narrowing(), given=False)


def tables_spelt(
    spelt: Iterable[str], loaded: Mapping[TableName, LoadedInput], tables: RunTables
) -> dict[str, OpenedTable]:
    """Return the Delta tables among names as plans spell them.

    A plan has no quotes, and a part of a key may have a dot itself: what could be two
    tables is left out.
    """
    names: dict[str, TableName | None] = {}
    for known in {*tables.opened_names(), *loaded}:
        spelling = tables.spelling(known)
        names[spelling] = None if spelling in names else known
    found = {}
    for each in spelt:
        name = names.get(each, tables.spelt(each))
        given = None if name is None else loaded.get(name)
        if given is not None:
            found[each] = given.opened
        elif name is not None and (opened := tables.opened(name)) is not None:
            found[each] = opened
    return found
