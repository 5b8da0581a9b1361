"""Tables and texts on Dagster's page, cut to the room there is."""

import bisect
import itertools
import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import dagster as dg
import pyarrow as pa

from dagster_dfsession.errors import BrokenRule
from dagster_dfsession.materialization.contract_rows import RuleKept
from dagster_dfsession.query.explain import LINE_CHARS

TYPES: Mapping[type, str] = MappingProxyType({bool: "bool", int: "int", str: "string"})

BROKEN_RULE = "breaks rule"


def size_of(entries: Mapping[str, Any]) -> int:
    """Return the bytes that entries take in Dagster's event log."""
    return len(dg.serialize_value(_event(entries)))


def sizes_of(entries: Mapping[str, Any]) -> dict[str, int]:
    """Return the bytes of each entry; with `size_of({})`, all that they take.

    Examples:
        >>> entries = {"rows": 3, "by": "ann"}
        >>> size_of({}) + sum(sizes_of(entries).values()) - size_of(entries)
        2
    """
    # What is around a value, and the comma after it, which the last one lacks.
    frame = size_of({"": "text"}) - size_of({}) - _size(dg.MetadataValue.text("text"))
    return {
        key: frame + len(json.dumps(key)) + _size(value)
        for key, value in _event(entries).metadata.items()
    }


def _size(value: Any) -> int:
    return len(dg.serialize_value(value))


def _event(entries: Mapping[str, Any]) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(asset_key="size", metadata=entries)


def arrow_table_schema(schema: pa.Schema) -> dg.TableSchema:
    """Return an Arrow schema as Dagster shows it."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                name=field.name,
                type=bounded(str(field.type), 500),
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in schema
        ]
    )


def table_of(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str]
) -> dg.TableMetadataValue:
    """Return rows as a table; its columns have the types of the first row."""
    records = [dg.TableRecord({name: row[name] for name in columns}) for row in rows]
    first = records[0].data if records else {}
    kinds = {name: TYPES.get(type(first.get(name)), "string") for name in columns}
    schema = dg.TableSchema(
        [dg.TableColumn(name, kind) for name, kind in kinds.items()]
    )
    return dg.MetadataValue.table(records, schema=schema)


def contract_table(kept: Iterable[RuleKept]) -> dg.TableMetadataValue:
    """Return the rules of a contract that rows were held against."""
    rows = (
        {
            "rule": bounded(each.rule, 100),
            "rows checked": each.rows,
            "violations": each.violations,
        }
        for each in kept
    )
    return table_of(rows, ("rule", "rows checked", "violations"))


def broken_rows_table(broken: Sequence[BrokenRule]) -> dg.TableMetadataValue:
    """Return the examples of rows that break rules, as texts."""
    rows = [(each.rule, row) for each in broken for row in each.examples]
    columns = dict.fromkeys(name for _, row in rows for name in row)
    return table_of(
        (
            {BROKEN_RULE: bounded(rule, 100)}
            | {name: _cell(row.get(name)) for name in columns}
            for rule, row in rows
        ),
        (BROKEN_RULE, *columns),
    )


def _cell(value: object) -> str | None:
    return None if value is None else bounded(str(value), 60)


def plan_text(text: str, chars: int, *, below: str = "") -> dg.MarkdownMetadataValue:
    """Return the first lines of a plan, how many are left out, and what is below it."""
    lines = "\n".join(part for line in text.splitlines() for part in wrapped(line))
    shown = f"{_first_lines(lines, chars)}\n\n{below}".rstrip()
    return dg.MetadataValue.md(f"```text\n{shown}\n```")


def sql_text(query: str, chars: int = 4000) -> dg.MarkdownMetadataValue:
    """Return the first lines of a query, and how many are left out."""
    told = query.strip("\n").splitlines()
    lines = "\n".join(part for line in told for part in wrapped(line))
    return dg.MetadataValue.md(f"```sql\n{_first_lines(lines, chars)}\n```")


def _first_lines(text: str, chars: int) -> str:
    if len(text) <= chars:
        return text
    lines = text.split("\n")
    # What the first n lines take, with a line break after each.
    ends = list(itertools.accumulate(len(line) + 1 for line in lines))
    kept = bisect.bisect_right(ends, chars + 1)
    return "\n".join([*lines[:kept], f"and {len(lines) - kept} more lines"])


def fewer_rows(table: dg.TableMetadataValue, keep: int) -> dg.TableMetadataValue:
    """Return the first rows; one more row says how many are left out."""
    if len(table.records) <= keep:
        return table
    first, *others = (column.name for column in table.schema.columns)
    said = {first: f"and {len(table.records) - keep} more", **dict.fromkeys(others)}
    return dg.MetadataValue.table(
        [*table.records[:keep], dg.TableRecord(said)], schema=table.schema
    )


def fewer_columns(schema: dg.TableSchema, budget: int) -> dg.TableSchema:
    """Return the first columns, as many as fit; the table says how many there are."""
    columns = schema.columns

    def first(keep: int) -> dg.TableSchema:
        more = f"and {len(columns) - keep} more columns"
        return dg.TableSchema(columns[:keep], dg.TableConstraints(other=[more]))

    keeps = range(len(columns))
    fitting = bisect.bisect_right(
        keeps, budget, key=lambda keep: size_of({"columns": first(keep)})
    )
    return first(max(fitting - 1, 0))


def wrapped(line: str, chars: int = LINE_CHARS) -> list[str]:
    """Return a line as lines of bounded length; those that go on stand further in.

    Examples:
        >>> wrapped("  Filter: a > 1 AND b > 2", 20)
        ['  Filter: a > 1 AND', '      b > 2']
    """
    if len(line) <= chars and "\t" not in line:
        return [line.rstrip(" ")]  # most are short, and wrapping takes a while
    indent = line[: len(line) - len(line.lstrip())]
    further = f"{indent}    "[: chars // 2]
    return textwrap.wrap(
        line, chars, subsequent_indent=further, break_on_hyphens=False
    ) or [""]


def bounded(text: str, chars: int) -> str:
    """Return the text, or its beginning and an ellipsis.

    Examples:
        >>> bounded("datafusion", 5)
        'data…'
    """
    return text if len(text) <= chars else f"{text[: chars - 1]}…"
