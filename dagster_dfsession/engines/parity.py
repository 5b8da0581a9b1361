"""One query in two engines over a sample of its tables: are the rows the same?"""

import math
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from datafusion import DataFrame
from deltalake import write_deltalake

from dagster_dfsession.delta.failures import delta_errors
from dagster_dfsession.delta.location import Location
from dagster_dfsession.engines.columns import Columns
from dagster_dfsession.engines.local import LocalEngine
from dagster_dfsession.engines.port import Engine, TableAt
from dagster_dfsession.errors import QueryError
from dagster_dfsession.pool.tables import OpenedTable
from dagster_dfsession.query.stream import Execution
from dagster_dfsession.session.session import Session

_DIGITS = 1e-9
"""Floats that differ by less of their size were added up in another order."""


def check_parity(
    query: str,
    tables: Mapping[str, OpenedTable],
    params: Mapping[str, Any],
    *,
    here: Session,
    there: Engine,
    rows: int,
    scan: Callable[[OpenedTable], DataFrame],
) -> None:
    """Run a query here and there over a sample, and compare the rows.

    The sample is the first rows of each table, so a small table is all of it. It is
    written to a directory of this machine, which a server elsewhere does not see.

    Args:
        query: It.
        tables: What its names mean.
        params: Values by name.
        here: The session, whose rows are right.
        there: The engine that is tried.
        rows: Rows of each table in the sample.
        scan: Returns the rows of a table.

    Raises:
        QueryError: The rows differ, or one of the two refused the query.
    """
    with tempfile.TemporaryDirectory(prefix="dfsession_parity_") as place:
        sample = {
            name: _sampled(scan(opened).limit(rows), str(Path(place, f"table_{at}")))
            for at, (name, opened) in enumerate(sorted(tables.items()))
        }
        local = LocalEngine(here)
        ours = local.execute(query, sample, params).read_all()
        found = there.execute(query, sample, params)
        columns = Columns(ours.schema, there.name)
        columns.check(found.schema)
        theirs = pa.Table.from_batches(map(columns.of, found), ours.schema)
    check_equal(ours, theirs, local.name, there.name)


def check_equal(ours: pa.Table, theirs: pa.Table, here: str, there: str) -> None:
    """Refuse two tables of the same columns that have other rows, in any order.

    Raises:
        QueryError: It shows the first row that only one of them has.

    Examples:
        >>> one = pa.table({"n": [1, 2]})
        >>> check_equal(one, one.slice(0, 1), "datafusion 55", "sail 0.7.2")
        Traceback (most recent call last):
            ...
        dagster_dfsession.errors.QueryError: ... has 2 rows, and sail 0.7.2 has 1...
    """
    if ours.num_rows != theirs.num_rows:
        raise _differ(
            f"{here} has {ours.num_rows} rows, and {there} has {theirs.num_rows}"
        )
    pairs = zip(_sorted(ours), _sorted(theirs), strict=True)
    for our, their in pairs:
        if not all(map(_same, our, their)):
            raise _differ(f"{here} has the row {our!r}, and {there} {their!r}")


def _differ(how: str) -> QueryError:
    error = QueryError(
        f"over a sample of its tables, the query has other rows elsewhere: {how}. The "
        "whole query was not run. Find the expression that the two read otherwise "
        "(docs/sail.md lists what is known), or run it on datafusion"
    )
    error.kind = "parity"
    return error


def _sorted(table: pa.Table) -> list[tuple[Any, ...]]:
    columns = [column.to_pylist() for column in table.columns]
    # As the first digits of floats, so that two nearly equal rows have one place.
    return sorted(zip(*columns, strict=True), key=lambda row: [*map(_key, row)])


def _key(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def _same(our: Any, their: Any) -> bool:
    if isinstance(our, float) and isinstance(their, float):
        both_nan = math.isnan(our) and math.isnan(their)
        return both_nan or math.isclose(our, their, rel_tol=_DIGITS, abs_tol=1e-12)
    return bool(our == their)


def _sampled(rows: DataFrame, path: str) -> TableAt:
    # Read to the end first: a reader of deltalake cannot run within a writer of it.
    sample = Execution(rows, "taking a sample").reader.read_all()
    with delta_errors(path):
        write_deltalake(path, sample)
    return TableAt(Location(path), 0)
