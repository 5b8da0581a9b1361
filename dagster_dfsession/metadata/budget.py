"""The room that one materialization takes in Dagster's event log."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from dagster_dfsession.display import fewer_columns, fewer_rows, size_of, sizes_of
from dagster_dfsession.metadata.keys import (
    COLUMN_LINEAGE,
    COLUMN_SCHEMA,
    INPUTS,
    SETTINGS,
    UDFS,
)
from dagster_dfsession.metadata.lineage import fewer_deps

BUDGET_BYTES = 16 * 1024
ROWS_SHOWN = 20
"""Rows of a table on Dagster's page, which shows all it is given at once."""
ROWS_IF_TIGHT = 8

Metadata = dict[str, Any]


def within_budget(
    entries: Metadata, shorter: Mapping[str, Any], budget: int = BUDGET_BYTES
) -> Metadata:
    """Cut down what is long until all entries together fit, saying what was cut.

    The record has it whole; the columns, the table itself. Of the lineage that Dagster
    reads, columns are left out without a word: `dfsession/lineage` says how many.

    Args:
        entries: Tables in it show `ROWS_SHOWN` rows, or less if need be.
        shorter: What to put in the place of an entry if need be.
        budget: In bytes, as `size_of` counts them.
    """
    cut = {
        key: fewer_rows(value, ROWS_SHOWN)
        if isinstance(value, dg.TableMetadataValue)
        else value
        for key, value in entries.items()
    }
    if size_of(cut) <= budget:
        return cut
    sizes = sizes_of(cut)
    tight = {
        key: fewer_rows(entries[key], ROWS_IF_TIGHT)
        for key in (SETTINGS, UDFS, INPUTS)
        if key in entries
    }
    for key, value in {**shorter, **tight}.items():
        if _over(sizes, budget) > 0:
            cut[key] = value
            sizes |= sizes_of({key: value})
    if COLUMN_LINEAGE in cut and _over(sizes, budget) > 0:
        deps: Any = cut.pop(COLUMN_LINEAGE)
        del sizes[COLUMN_LINEAGE]
        if fewer := fewer_deps(deps, -_over(sizes, budget)):
            cut[COLUMN_LINEAGE] = fewer
            sizes |= sizes_of({COLUMN_LINEAGE: fewer})
    if COLUMN_SCHEMA in cut and _over(sizes, budget) > 0:
        room = sizes[COLUMN_SCHEMA] - _over(sizes, budget)
        cut[COLUMN_SCHEMA] = fewer_columns(entries[COLUMN_SCHEMA], room)
    return cut


def _over(sizes: Mapping[str, int], budget: int) -> int:
    """Return how many bytes too many there are; below 0: how many more would fit."""
    return size_of({}) + sum(sizes.values()) - budget
