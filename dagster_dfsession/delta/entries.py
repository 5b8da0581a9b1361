"""What one entry of telemetry has, as Arrow tells it."""

import pyarrow as pa

_TEXT: pa.DataType = pa.string()
_COUNT: pa.DataType = pa.int64()
_TIME: pa.DataType = pa.timestamp("us", tz="UTC")
ENTRY = pa.schema(
    [
        ("at", _TIME),
        ("kind", _TEXT),
        ("name", _TEXT),
        ("version", _COUNT),
        ("schema", _TEXT),
        ("run_id", _TEXT),
        ("step", _TEXT),
        ("attempt", _COUNT),
        ("pid", _COUNT),
        ("trace_id", _TEXT),
        ("span_id", _TEXT),
        ("payload", _TEXT),
    ]
)
"""What `Entry.flat` has."""
