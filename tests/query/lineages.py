"""Small tables to trace columns of, and lineages on one line."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from datafusion import SessionContext, udf

from dagster_dfsession.query.lineage import Lineage

T = pa.table(
    {
        "a": [1, 2],
        "b": ["x", "y"],
        "c": [1.5, 2.5],
        "l": [[1], [2, 3]],
        "s": [{"p": 1, "q": 2}, {"p": 3, "q": 4}],
        "m": pa.array([[("k", 1)], [("j", 2)]], pa.map_(pa.string(), pa.int64())),
    }
)
U = pa.table({"a": [1, 2], "d": ["x", "y"], "e": [1, 5]})


def tables() -> SessionContext:
    """Return a context with the tables `t` and `u`, a view and a function in Python."""
    ctx = SessionContext()
    ctx.from_arrow(T, name="t")
    ctx.from_arrow(U, name="u")
    ctx.register_view("v", ctx.sql("SELECT a AS va, b AS vb FROM t WHERE c > 1"))
    ctx.register_udf(udf(half, [pa.float64()], pa.float64(), "immutable", "half"))
    return ctx


def half(values: Any) -> Any:
    return pc.divide(values, 2.0)


def shown(lineage: Lineage) -> str:
    """Return `column: sources; column: sources | influence`."""
    columns = "; ".join(
        f"{each.column}: {' '.join(map(str, each.sources))}" for each in lineage.columns
    )
    influence = " ".join(map(str, lineage.influence))
    return f"{columns} | {influence}" if influence else columns
