"""A frame and what the engine makes of it, made once."""

import functools

import pyarrow as pa
from datafusion import DataFrame, SessionContext
from datafusion.plan import LogicalPlan


class Planned:
    """A frame with its optimized plan, which the engine makes anew at each question.

    Examples:
        >>> Planned(SessionContext().sql("SELECT 1 AS one")).schema.names
        ['one']
    """

    def __init__(self, frame: DataFrame) -> None:
        """Plan nothing yet."""
        self.frame = frame

    @functools.cached_property
    def optimized(self) -> LogicalPlan:
        """The plan with its filters next to its scans."""
        return self.frame.optimized_logical_plan()

    @functools.cached_property
    def text(self) -> str:
        """The optimized plan as text."""
        return self.optimized.display_indent()

    @functools.cached_property
    def schema(self) -> pa.Schema:
        """The columns as the engine will hand them out.

        A frame's own schema is that of the query as written: `SELECT NULL UNION ALL
        SELECT 1` has no type there, and only the analyzer finds it.
        """
        ctx = SessionContext()
        return ctx.create_dataframe_from_logical_plan(self.optimized).schema()
