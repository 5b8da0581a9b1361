"""Which columns of which tables each column of a query comes from."""

from collections.abc import Callable

from datafusion import DataFrame

from dagster_dfsession.errors import QueryError
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.query.flow import SourceColumn, Sources
from dagster_dfsession.query.node_rows import SUBQUERY
from dagster_dfsession.query.plan_nodes import flow_in_nodes
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.query.substrait_flow import flow_in_substrait
from dagster_dfsession.session.failures import engine_errors

OPAQUE = "an expression has a subquery in it, which is said to read all that is read"


class ColumnLineage(Frozen, frozen=True):
    """A column of a result.

    Attributes:
        sources: What its values are made from, sorted.
    """

    column: str
    sources: tuple[SourceColumn, ...]


class Lineage(Frozen, frozen=True, kw_only=True):
    """Where the columns of a query come from.

    A column of a table that is named nowhere here can have any values: the query has
    the same rows.

    Attributes:
        columns: Every column of the result, in order.
        influence: What decides which rows there are, or how they are put together:
            filters, keys of joins and groups, what windows and limits go by. It
            belongs to all columns alike, and is sorted.
        at_most: Why some of it may be too much; None: it is not.
        unknown: Why nothing is known; then no columns are named. None: it is known.
    """

    columns: tuple[ColumnLineage, ...] = ()
    influence: tuple[SourceColumn, ...] = ()
    at_most: str | None = None
    unknown: str | None = None


def column_lineage(
    frame: DataFrame | Planned, named: Callable[[str], str] = str
) -> Lineage:
    """Return the lineage of a frame's columns, from the engine's optimized plan.

    Args:
        frame: Composed over named tables; it is planned, not executed.
        named: From a table as the plan spells it to what it is called here.

    Raises:
        QueryError: Under `engine_errors` of the caller, if the plan does not optimize.

    Examples:
        >>> from datafusion import SessionContext
        >>> ctx = SessionContext()
        >>> flights = ctx.from_pydict({"origin": ["JFK"], "delay": [7]}, name="flights")
        >>> late = ctx.sql("SELECT origin AS airport FROM flights WHERE delay > 5")
        >>> found = column_lineage(late)
        >>> for each in found.columns:
        ...     print(each.column, "from", *each.sources)
        airport from flights.origin
        >>> print("where", *found.influence)
        where flights.delay
    """
    planned = Planned.of(frame)
    names, text = planned.schema.names, planned.text
    at_most = None
    try:
        with engine_errors("reading Substrait"):
            flow = flow_in_substrait(planned.optimized, text)
    except QueryError:
        try:
            with engine_errors("reading the plan"):
                flow = flow_in_nodes(planned.optimized, text)
        except QueryError as error:
            return Lineage(unknown=str(error))
        at_most = OPAQUE if SUBQUERY in text else None
    if len(names) != len(flow.columns):
        return Lineage(
            unknown=f"of {len(names)} columns, the plan shows {len(flow.columns)}"
        )

    def sorted_sources(sources: Sources) -> tuple[SourceColumn, ...]:
        return tuple(
            sorted({SourceColumn(named(table), column) for table, column in sources})
        )

    return Lineage(
        columns=tuple(
            ColumnLineage(column=name, sources=sorted_sources(sources))
            for name, sources in zip(names, flow.columns, strict=True)
        ),
        influence=sorted_sources(flow.influence),
        at_most=at_most,
    )
