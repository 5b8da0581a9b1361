"""The days of a year, and the rows of each."""

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa

START, END = "2025-01-01", "2026-01-01"
DAYS = [f"{dt.date.fromisoformat(START) + dt.timedelta(n)}" for n in range(365)]
ROWS = 1_000
"""Rows of a day, with the keys 0 to 999."""


def rows_of(days: Sequence[str]) -> pa.Table:
    """Return the rows of some days: `key`, `day`, `value`."""
    dates = [dt.date.fromisoformat(day) for day in days for _ in range(ROWS)]
    return pa.table(
        {
            "key": pa.array(list(range(ROWS)) * len(days), pa.int64()),
            "day": pa.array(dates, pa.date32()),
            "value": pa.array([float(n) for n in range(ROWS * len(days))]),
        }
    )
