"""Whether the arms answered alike: `python -m benchmarks.tpch.answers OUT...`.

A process of its own, so that its memory is nobody's.
"""

import datetime as dt
import decimal
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa
from datafusion import SessionContext
from deltalake import DeltaTable

Row: TypeAlias = tuple[str | float, ...]

CLOSE = 1e-6
"""How far two numbers may be apart, by themselves or in relation to their size.

Arms add floats up in another order. And the mean of a decimal has six decimal places in
DataFusion, which leaves the others out; it is a float in DuckDB and in polars.
"""


def main() -> None:
    """Print what differs from the first directory's answers; nothing: nothing does."""
    first, *others = map(Path, sys.argv[1:])
    for out in others:
        for query in (f"q{number:02}" for number in range(1, 23)):
            if what := difference(rows_of(first, query), rows_of(out, query)):
                print(f"{out.name} {query}: {what}")


def difference(mine: Sequence[Row], yours: Sequence[Row]) -> str | None:
    """Return what sets two answers apart; None: nothing does.

    Examples:
        >>> difference([("a", 0.047758)], [("a", 0.0477586)])
        >>> difference([("a", 1.0)], [("a", 1.1)])
        "('a', 1.1), and not ('a', 1.0)"
    """
    if len(mine) != len(yours):
        return f"{len(yours)} rows, and not {len(mine)}"
    pairs = zip(mine, yours, strict=True)
    return next((f"{b}, and not {a}" for a, b in pairs if not _are_close(a, b)), None)


def _are_close(one: Row, other: Row) -> bool:
    return len(one) == len(other) and all(
        math.isclose(a, b, rel_tol=CLOSE, abs_tol=CLOSE)
        if isinstance(a, float) and isinstance(b, float)
        else a == b
        for a, b in zip(one, other, strict=True)
    )


def rows_of(out: Path, table: str) -> list[Row]:
    """Return the rows of a table that an arm made, in one order for all arms."""
    return rows_in(_stored(out, table))


def rows_in(table: pa.Table) -> list[Row]:
    """Return the rows of an answer, in one order for all arms."""
    columns = table.to_pydict().values()
    rows = zip(*(list(map(_plain, column)) for column in columns), strict=True)
    return sorted(rows, key=_place)


def _place(row: Row) -> tuple[list[str], list[float]]:
    """Return what rows are sorted by: texts first, in which arms do not differ."""
    numbers = [cell for cell in row if isinstance(cell, float)]
    return [cell for cell in row if isinstance(cell, str)], numbers


def _stored(out: Path, table: str) -> pa.Table:
    file = out / "tpch.duckdb"
    if file.exists():
        with duckdb.connect(file, read_only=True) as connection:
            (schema,), *_ = connection.execute(
                "SELECT schema_name FROM duckdb_tables() WHERE table_name = ?", [table]
            ).fetchall()
            return connection.table(f"{schema}.{table}").to_arrow_table()
    (log,) = _logs(out, table)
    ctx = SessionContext()
    return ctx.read_table(DeltaTable(log.parent)).to_arrow_table()


def _logs(out: Path, table: str) -> Iterable[Path]:
    return out.rglob(f"{table}*/_delta_log")


def _plain(value: Any) -> str | float:
    """Return a value as every arm's types have it."""
    if isinstance(value, int | float | decimal.Decimal):
        return float(value)
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date().isoformat()
    return str(value)


if __name__ == "__main__":
    main()
