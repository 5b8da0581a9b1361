"""The demo's own functions in SQL: `udfs=["demo.udfs"]` installs them."""

import math
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from datafusion.user_defined import Accumulator

from dagster_dfsession import aggregate_udf, scalar_udf

EARTH_RADIUS_KM = 6371.0088

Array: TypeAlias = "pa.Array[Any]"
Scalar: TypeAlias = "pa.Scalar[Any]"


@scalar_udf(inputs=[pa.float64()] * 4, returns=pa.float64(), volatility="immutable")
def haversine_km(
    lat_from: Array, lon_from: Array, lat_to: Array, lon_to: Array
) -> Array:
    """Return the great-circle distance in kilometres between points in degrees.

    Examples:
        >>> vienna, new_york = ([48.11], [16.57]), ([40.64], [-73.78])
        >>> points = [pa.array(degrees) for degrees in (*vienna, *new_york)]
        >>> round(haversine_km(*points)[0].as_py())
        6796
    """
    radian = math.pi / 180
    phi_from, phi_to = pc.multiply(lat_from, radian), pc.multiply(lat_to, radian)
    along = pc.multiply(pc.subtract(lat_to, lat_from), radian / 2)
    across = pc.multiply(pc.subtract(lon_to, lon_from), radian / 2)
    shrinking = pc.multiply(pc.cos(phi_from), pc.cos(phi_to))
    chord = pc.add(_sine_squared(along), pc.multiply(shrinking, _sine_squared(across)))
    return pc.multiply(pc.asin(pc.sqrt(chord)), 2 * EARTH_RADIUS_KM)


def _sine_squared(angles: Array) -> Array:
    sines = pc.sin(angles)
    return pc.multiply(sines, sines)


@aggregate_udf(
    name="trimmed_mean",
    inputs=[pa.float64(), pa.float64()],
    returns=pa.float64(),
    state=[pa.list_(pa.float64()), pa.float64()],
    volatility="immutable",
)
class TrimmedMean(Accumulator):
    """`trimmed_mean(value, share)`: the mean without a share of either end.

    Of n values that are not NULL, the n * share smallest and as many of the largest
    are left out, rounded down. A few hours of delay do not move it as they move the
    mean. NULL where nothing is left.
    """

    def __init__(self) -> None:
        self._values: list[Array] = []
        self._share = 0.0

    def update(self, *columns: Array) -> None:
        """Take the values of one batch; the share is the same in every row."""
        values, share = columns
        if len(values):
            self._values.append(values.drop_null())
            self._share = share[0].as_py()

    def merge(self, states: list[Array]) -> None:
        """Take what other partitions have collected."""
        collected, shares = states
        self._values.append(pc.list_flatten(collected))
        self._share = max(self._share, pc.max(shares).as_py())

    def state(self) -> list[Scalar]:
        """Return the values collected, and the share."""
        values = self._collected()
        whole = pa.ListArray.from_arrays([0, len(values)], values)
        return [whole[0], pa.scalar(self._share)]

    def evaluate(self) -> Scalar:
        """Return the mean of what is left."""
        values = self._collected()
        cut = int(len(values) * self._share)
        ordered = values.take(pc.sort_indices(values))
        return pc.mean(ordered.slice(cut, len(values) - 2 * cut))

    def _collected(self) -> Array:
        return pa.chunked_array(self._values, pa.float64()).combine_chunks()
