"""Rows as they are printed: a table, CSV, JSON."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import click
import msgspec
import pyarrow as pa
from rich.table import Table

from dagster_dfsession.cli.output import table
from dagster_dfsession.errors import QueryError, listing
from dagster_dfsession.query.first_rows import FirstRows
from dagster_dfsession.query.plain import plain_schema

NULL = "NULL"


def json_rows(rows: FirstRows) -> list[dict[str, Any]]:
    """Return rows as mappings from column to value.

    Raises:
        QueryError: Two columns have one name, or the query failed.
    """
    twice = [name for name, count in Counter(rows.schema.names).items() if count > 1]
    if twice:
        raise QueryError(
            f"several columns are called {listing(twice)}, and in JSON one of them "
            "would hide the others; give them names of their own with AS"
        )
    return [row for batch in rows for row in _readable(batch).to_pylist()]


def shown_rows(rows: FirstRows) -> Table:
    """Return rows as a table for people; numbers to the right.

    Raises:
        QueryError: The query failed.
    """
    shown = table()
    for field in rows.schema:
        number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        right = number or pa.types.is_decimal(field.type)
        shown.add_column(
            field.name, justify="right" if right else "left", overflow="fold"
        )
    for batch in rows:
        for row in _cells(batch):
            shown.add_row(*(NULL if cell is None else cell for cell in row))
    return shown


def print_csv(rows: FirstRows) -> None:
    """Print rows as they come; NULL and the empty text are one in CSV.

    Raises:
        QueryError: The query failed.
    """
    click.echo(_csv([rows.schema.names]), nl=False)
    for batch in rows:
        click.echo(_csv(_cells(batch)), nl=False)


def _csv(rows: Iterable[Iterable[str | None]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()


def _cells(batch: pa.RecordBatch) -> Iterable[tuple[str | None, ...]]:
    columns = _readable(batch).columns
    return zip(*(map(_cell, column.to_pylist()) for column in columns), strict=True)


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict | list):
        return json.dumps(msgspec.to_builtins(value, enc_hook=str), ensure_ascii=False)
    return str(value)


def _readable(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows that Python has values for: it counts no nanoseconds."""
    return batch.cast(
        pa.schema(
            [
                field.with_type(pa.string())
                if pa.types.is_timestamp(field.type) and field.type.unit == "ns"
                else field
                for field in plain_schema(batch.schema)
            ]
        )
    )
