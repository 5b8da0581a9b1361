"""A function that can only be seen to fail when it is called."""

from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from dagster_dfsession import scalar_udf

Array: TypeAlias = "pa.Array[Any]"


@scalar_udf(inputs=[pa.int64()], returns=pa.int64(), volatility="immutable")
def without_null(numbers: Array) -> Array:
    """Return the numbers; a NULL among them is an error."""
    if pc.any(pc.is_null(numbers)).as_py():
        raise ValueError("a NULL")
    return numbers
