"""The inputs of a step: tables that it was given, or that its queries name."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from datafusion import DataFrame

from dagster_dfsession.pool.tables import OpenedTable, RunTables
from dagster_dfsession.session.catalog import TableName


class LoadedInput(NamedTuple):
    """A table as an input of a step.

    Attributes:
        partition_keys: Those that the step reads; None: the whole table.
        narrow: From the rows of the whole table to those that the step was given.
    """

    opened: OpenedTable
    partition_keys: tuple[str, ...] | None
    narrow: Callable[[DataFrame], DataFrame]


def whole_input(opened: OpenedTable) -> LoadedInput:
    """Return a table that a query names, and reads as it is."""
    return LoadedInput(opened, None, lambda rows: rows)


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
