"""Whether the arms answered alike: `python -m benchmarks.tpch.answers OUT...`.

A process of its own, so that its memory is nobody's.
"""

import decimal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from datafusion import SessionContext
from deltalake import DeltaTable

DIGITS = 6
"""Arms add floats up in another order, and some make floats of decimals."""


def main() -> None:
    """Print what differs from the first directory's answers; nothing: nothing does."""
    first, *others = map(Path, sys.argv[1:])
    for out in others:
        for query in (f"q{number:02}" for number in range(1, 23)):
            mine, yours = rows_of(first, query), rows_of(out, query)
            if mine != yours:
                print(f"{out.name} {query}: {len(yours)} rows, not the {len(mine)}")


def rows_of(out: Path, table: str) -> list[tuple[Any, ...]]:
    """Return the rows of a table that an arm made, in one order for all arms."""
    columns = _stored(out, table).to_pydict().values()
    rows = zip(*(list(map(_plain, column)) for column in columns), strict=True)
    return sorted(rows, key=repr)


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


def _plain(value: Any) -> Any:
    """Return a value as every arm's types have it."""
    if isinstance(value, float | decimal.Decimal):
        return f"{float(value):.{DIGITS}g}"
    if hasattr(value, "date") and value.time().isoformat() == "00:00:00":
        return value.date().isoformat()
    return str(value)


if __name__ == "__main__":
    main()
