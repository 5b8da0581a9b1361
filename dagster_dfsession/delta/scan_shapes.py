"""How a scan of many files gets its partition columns, and what each way costs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

import msgspec

Shape: TypeAlias = Literal["one scan", "split", "join", "provider"]

BRANCH_MS = 0.7
"""To plan one scan of several."""
NATIVE_FILE_MS = 0.1
PROVIDER_FILE_MS = 0.25
"""To open a file."""
NATIVE_ROW_MS = 20e-6
PROVIDER_ROW_MS = 22e-6
"""To read a row of a few columns."""
JOINED_MS = 50e-6
"""To find the name of a row's file in a hash table."""
JOIN_MS = 10.0
"""To plan a join, twice: once to see that it can run."""


class Work(msgspec.Struct, frozen=True):
    """What a query has to read of a table.

    Attributes:
        files: That it cannot do without.
        rows: In these files.
        groups: Of these files, by their values of the partition columns in use.
        every_file: Of the table.
        every_row: In all of its files.
        filtered: Whether the query filters by a partition column.
        named: Whether rows may be told apart by the names of their files.
    """

    files: int
    rows: int
    groups: int
    every_file: int
    every_row: int
    filtered: bool
    named: bool


def cheapest(work: Work) -> Shape:
    """Return the way that costs least, by figures that benchmarks/scans.py checks.

    Examples:
        >>> few = Work(7, 6_000_000, 7, 7, 6_000_000, filtered=False, named=True)
        >>> cheapest(few)
        'split'
    """
    if work.groups <= 1:
        return "one scan"
    costs = _costs(work)
    return min(costs, key=lambda shape: costs[shape])


def _costs(work: Work) -> Mapping[Shape, float]:
    read = work.files * NATIVE_FILE_MS + work.rows * NATIVE_ROW_MS
    costs: dict[Shape, float] = {
        "split": read + work.groups * BRANCH_MS,
        "provider": work.every_file * PROVIDER_FILE_MS
        + work.every_row * PROVIDER_ROW_MS,
    }
    if work.named:
        # A filter looks at each row again, where a literal would be folded away.
        times = 2 if work.filtered else 1
        costs["join"] = read + JOIN_MS + times * work.rows * JOINED_MS
    return MappingProxyType(costs)
