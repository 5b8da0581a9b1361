"""What Dagster is told of where columns come from."""

import bisect
from collections.abc import Iterable, Iterator, Mapping

import dagster as dg

from dagster_dfsession.display import bounded, fewer_rows, size_of, table_of
from dagster_dfsession.materialization.records import InputRecord
from dagster_dfsession.query.flow import SourceColumn
from dagster_dfsession.query.lineage import Lineage

ROWS = "(which rows)"
"""Stands for what has influence on all columns, where the name of a column would."""
NOT_EXACT = "(at most)"
UNKNOWN = "(unknown)"
NOTHING = "-"
FROM_CHARS = 300
SHORT_CHARS, SHORT_ROWS = 60, 2
"""Of each text, and rows, where everything together is over the budget."""


def lineage_table(lineage: Lineage, chars: int = FROM_CHARS) -> dg.TableMetadataValue:
    """Return the lineage for people; what concerns all columns comes first.

    Args:
        lineage: Of the columns of a query.
        chars: Room for what a column comes from.

    Examples:
        >>> rows = lineage_table(Lineage(unknown="there is no plan")).records
        >>> rows[0].data
        {'column': '(unknown)', 'from': 'there is no plan'}
    """
    rows = (
        {"column": bounded(column, 60), "from": bounded(text or NOTHING, chars)}
        for column, text in _told(lineage)
    )
    return table_of(rows, ("column", "from"))


def short_lineage_table(lineage: Lineage) -> dg.TableMetadataValue:
    """Return the beginning of the lineage."""
    return fewer_rows(lineage_table(lineage, SHORT_CHARS), SHORT_ROWS)


def _told(lineage: Lineage) -> Iterator[tuple[str, str]]:
    if lineage.unknown is not None:
        yield UNKNOWN, lineage.unknown
        return
    if lineage.at_most is not None:
        yield NOT_EXACT, lineage.at_most
    if lineage.influence:
        yield ROWS, _listed(lineage.influence)
    for each in lineage.columns:
        yield each.column, _listed(each.sources)


def _listed(sources: Iterable[SourceColumn]) -> str:
    return ", ".join(map(str, sources))


def asset_lineage(
    lineage: Lineage, inputs: Iterable[InputRecord]
) -> dg.TableColumnLineage | None:
    """Return the part of the lineage that Dagster has words for.

    That is what values are made from, where it is exact, and of assets: not what has
    influence on rows, nor what was registered with the session.

    Returns:
        None: there is nothing of the kind.
    """
    if lineage.unknown is not None or lineage.at_most is not None:
        return None
    keys: Mapping[str, dg.AssetKey] = {
        each.table: dg.AssetKey(each.key) for each in inputs
    }
    found = {
        each.column: [
            dg.TableColumnDep(keys[source.table], source.column)
            for source in each.sources
            if source.table in keys
        ]
        for each in lineage.columns
    }
    known = {column: deps for column, deps in found.items() if deps}
    return dg.TableColumnLineage(known) if known else None


def fewer_deps(
    lineage: dg.TableColumnLineage, budget: int
) -> dg.TableColumnLineage | None:
    """Return the lineage of the first columns, as many as fit; None: none of them."""
    columns = list(lineage.deps_by_column.items())
    fitting = bisect.bisect_right(
        range(1, len(columns) + 1),
        budget,
        key=lambda keep: size_of({"l": dg.TableColumnLineage(dict(columns[:keep]))}),
    )
    return dg.TableColumnLineage(dict(columns[:fitting])) if fitting else None
