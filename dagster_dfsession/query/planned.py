"""A frame and what the engine makes of it, made once."""

import functools

import pyarrow as pa
from datafusion import DataFrame, SessionContext
from datafusion.plan import LogicalPlan

from dagster_dfsession.query.certainty import unparsed


def never_optimized(frame: DataFrame, ctx: SessionContext) -> DataFrame:
    """Return a frame of the same plan, as if nobody had asked the engine of it before.

    The engine numbers the names that it makes up, from one question to the next.

    Examples:
        >>> ctx = SessionContext()
        >>> frame = ctx.sql("SELECT 1 AS one")
        >>> never_optimized(frame, ctx).to_pydict()
        {'one': [1]}
    """
    return ctx.create_dataframe_from_logical_plan(frame.logical_plan())


class Planned:
    """A frame with its optimized plan, which the engine makes anew at each question.

    Attributes:
        frame: The frame.

    Examples:
        >>> Planned(SessionContext().sql("SELECT 1 AS one")).schema.names
        ['one']
    """

    def __init__(self, frame: DataFrame) -> None:
        """Plan nothing yet."""
        self.frame = frame

    @classmethod
    def of(cls, frame: "DataFrame | Planned") -> "Planned":
        """Return a frame with its plan; one that has it keeps it."""
        return frame if isinstance(frame, Planned) else cls(frame)

    @functools.cached_property
    def composed(self) -> str:
        """The plan as text, as it was composed."""
        return self.frame.logical_plan().display_indent()

    @functools.cached_property
    def optimized(self) -> LogicalPlan:
        """The plan with its filters next to its scans."""
        return self.frame.optimized_logical_plan()

    @functools.cached_property
    def text(self) -> str:
        """The optimized plan as text."""
        return self.optimized.display_indent()

    @functools.cached_property
    def sql(self) -> str | None:
        """The frame as the engine's own SQL; None: it has none for a part of it."""
        return unparsed(self.frame)

    @functools.cached_property
    def schema(self) -> pa.Schema:
        """The columns as the engine will hand them out.

        A frame's own schema is that of the query as written: `SELECT NULL UNION ALL
        SELECT 1` has no type there, and only the analyzer finds it.
        """
        asked = _asking().create_dataframe_from_logical_plan(self.optimized)
        return asked.schema()


@functools.cache
def _asking() -> SessionContext:
    """Return a context that holds nothing: a plan tells its columns as a frame only."""
    return SessionContext()
