"""Functions that a frame brings along, under names by which SQL finds others.

`datafusion.udf(...)(column)` needs no session, and may be called as a function of it:
the text of the plan is the same then, and the SQL of the frame calls the other one.
"""

from collections.abc import Iterator
from typing import Any

from datafusion import DataFrame, Expr, SessionContext
from datafusion.expr import Aggregate, Filter, Join, Projection, Sort, WindowExpr
from datafusion.plan import LogicalPlan

from dagster_dfsession.query.node_rows import SUBQUERY
from dagster_dfsession.query.scans import variant_of

CARRIED = "it brings a function of its own, under the name of another"


def carries_functions(frame: DataFrame, ctx: SessionContext) -> bool:
    """Return whether a frame calls what a session calls otherwise by the same name.

    Of functions in Python only: of compiled ones, nobody can tell.

    Examples:
        >>> import pyarrow as pa
        >>> from datafusion import col, udf
        >>> ctx = SessionContext()
        >>> types = [pa.int64()], pa.int64(), "immutable"
        >>> own = udf(lambda values: values, *types, name="abs")
        >>> numbers = ctx.from_pydict({"n": [-1]})
        >>> carries_functions(numbers.select(own(col("n"))), ctx)
        True
        >>> carries_functions(ctx.sql("SELECT abs(-1)"), ctx)
        False
    """
    by_name = ctx.with_python_udf_inlining(enabled=False)
    return any(
        not _is_known(Expr(each), ctx, by_name)
        for each in _expressions(frame.logical_plan())
    )


def _is_known(each: Expr, ctx: SessionContext, by_name: SessionContext) -> bool:
    if SUBQUERY in each.canonical_name():
        return True  # only SQL has these, and the engine writes none of them down
    try:
        # Once with the code of functions in it, once with what their names mean here.
        meant = Expr.from_bytes(each.to_bytes(by_name), ctx)
        return meant.to_bytes(ctx) == each.to_bytes(ctx)
    except Exception as error:
        if type(error) in (Exception, ValueError, RuntimeError):  # the engine's own
            return False
        raise


def _expressions(plan: LogicalPlan) -> Iterator[Any]:
    yield from _own(variant_of(plan))
    for below in plan.inputs():
        yield from _expressions(below)


def _own(node: object) -> list[Any]:
    match node:
        case Projection():
            found = node.projections()
        case Filter():
            found = [node.predicate()]
        case Aggregate():
            found = [*node.group_by_exprs(), *node.aggregate_exprs()]
        case WindowExpr():
            found = node.get_window_expr()
        case Sort():
            found = [key.expr() for key in node.sort_exprs()]
        case Join():
            found = [each for pair in (*node.on(), (node.filter(),)) for each in pair]
        case _:
            found = []
    return [each for each in found if each is not None]
