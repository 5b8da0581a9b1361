"""Everything that becomes Dagster metadata; every key is defined here, once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from dagster_dfsession.delta.partitions import partition_columns, partition_predicate
from dagster_dfsession.delta.predicate import to_expression
from dagster_dfsession.materialization.materialize import Materialization
from dagster_dfsession.materialization.records import Change, InputRecord
from dagster_dfsession.plan.classification import changes_results, hashed_settings
from dagster_dfsession.session.engine_settings import default_settings
from dagster_dfsession.session.runtime import SessionRuntime

SESSION_HASH = "dfsession/session_hash"
SETTINGS_HASH = "dfsession/settings_hash"
RESULT_SETTINGS_HASH = "dfsession/result_settings_hash"
UDF_SNAPSHOT_HASH = "dfsession/udf_snapshot_hash"
PROFILE_HASH = "dfsession/profile_hash"
PLAN_HASH = "dfsession/plan_hash"
ENGINE = "dfsession/engine"
SETTINGS = "dfsession/settings"
UDFS = "dfsession/udfs"
INPUTS = "dfsession/inputs"
PLAN = "dfsession/plan"
CHANGES = "dfsession/changes"
VARIABLE = "dfsession/variable"
RECORD = "dfsession/record"
TABLE_VERSION = "dfsession/table_version"
ELAPSED_MS = "dfsession/elapsed_ms"
ROWS_READ = "dfsession/rows_read"
BYTES_SCANNED = "dfsession/bytes_scanned"
FILES_READ = "dfsession/files_read"
FILES_PRUNED = "dfsession/files_pruned"
SPILLED_BYTES = "dfsession/spilled_bytes"
PEAK_MEMORY_BYTES = "dfsession/peak_memory_bytes"
ROW_COUNT = "dagster/row_count"
SIZE_BYTES = "dagster/size_bytes"
COLUMN_SCHEMA = "dagster/column_schema"
TABLE_NAME = "dagster/table_name"
DAGSTER_URI = "dagster/uri"
URI = "uri"

SESSION_TAG = "dfsession/session"
TAG_DIGITS = 16
BUDGET_BYTES = 16 * 1024
NO_CHANGES = "none"
FIRST = "first materialization"

Metadata = dict[str, Any]


def materialization_metadata(
    made: Materialization, *, record: str, changes: str, plan_chars: int
) -> Metadata:
    """Return all metadata of one materialization, within the budget.

    Args:
        made: What was written.
        record: Path of its record below the lake's root.
        changes: From `changes_text`.
        plan_chars: Characters of the plan; 0 leaves it out.
    """
    entries = {
        **_table(made),
        **_hashes(made),
        **_measures(made),
        ENGINE: str(made.session.versions),
        CHANGES: dg.MetadataValue.md(changes),
        INPUTS: _inputs_table(made.inputs),
        SETTINGS: _settings_table(made.session),
        UDFS: _udfs_table(made.session),
        RECORD: record,
    }
    if made.variable:
        entries[VARIABLE] = ", ".join(made.variable)
    if made.identity is not None and plan_chars:
        entries[PLAN] = _plan(made.identity.text, plan_chars)
    return within_budget(entries)


def partition_metadata(made: Materialization) -> dict[str, Metadata]:
    """Return, for a run over several partitions, what is known of each one alone.

    Empty where the table's files are not divided by the partition columns: then
    nobody has counted.
    """
    request, written = made.target.partitions, made.written
    if request is None or len(made.target.partition_keys) < 2 or not written.partitions:
        return {}
    rows = [dict(part.values) for part in written.partitions]
    columns = partition_columns(request)
    if any(column not in rows[0] for column in columns):
        return {}
    types = {column: made.arrow_schema.field(column).type for column in columns}
    values = pa.table(
        {
            column: pa.array([row[column] for row in rows], pa.string()).cast(
                types[column]
            )
            for column in columns
        }
        | {"at": pa.array(range(len(rows)))}
    )
    return {
        key: {
            ROW_COUNT: sum(written.partitions[at].rows or 0 for at in found),
            SIZE_BYTES: sum(written.partitions[at].bytes for at in found),
        }
        for key, each in made.target.each_partition()
        for found in [
            values.filter(
                to_expression(partition_predicate(each, values.schema), values.schema)
            )
            .column("at")
            .to_pylist()
        ]
    }


def session_tags(session: SessionRuntime) -> dict[str, str]:
    """Return the tag by which runs and events of one session are found."""
    return {SESSION_TAG: session.session_hash[:TAG_DIGITS]}


def changes_text(changes: Sequence[Change]) -> str:
    """Return the changes of a session as Markdown: a `diff` fence, or `none`.

    Examples:
        >>> print(changes_text([Change(what="a.b", before="1", after="2")]))
        ```diff
        - a.b = 1
        + a.b = 2
        ```
    """
    if not changes:
        return NO_CHANGES
    lines = [
        f"{sign} {_bounded(f'{change.what} = {value}', 88)}"
        for change in changes[:12]
        for sign, value in (("-", change.before), ("+", change.after))
        if value is not None
    ]
    more = [f"# and {len(changes) - 12} more"] if len(changes) > 12 else []
    return "\n".join(["```diff", *lines, *more, "```"])


def within_budget(entries: Metadata, budget: int = BUDGET_BYTES) -> Metadata:
    """Cut down what is long until all entries together fit; the record has it whole."""
    cut = dict(entries)
    for key, keep in ((SETTINGS, 8), (PLAN, 600), (UDFS, 8), (INPUTS, 8)):
        if size_of(cut) > budget and key in cut:
            cut[key] = _shorter(cut[key], keep)
    if COLUMN_SCHEMA in cut and (over := size_of(cut) - budget) > 0:
        columns = cut[COLUMN_SCHEMA].columns
        each = size_of({COLUMN_SCHEMA: cut[COLUMN_SCHEMA]}) / len(columns)
        cut[COLUMN_SCHEMA] = dg.TableSchema(columns[: -int(over / each + 2)])
    return cut


def size_of(entries: Mapping[str, Any]) -> int:
    """Return the bytes that entries take in Dagster's event log."""
    event = dg.AssetMaterialization(asset_key="size", metadata=entries)
    return len(dg.serialize_value(event))


def arrow_table_schema(schema: pa.Schema) -> dg.TableSchema:
    """Return an Arrow schema as Dagster shows it."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                name=field.name,
                type=str(field.type),
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in schema
        ]
    )


def _table(made: Materialization) -> Metadata:
    target, written = made.target, made.written
    whole = target.partitions is None
    rows = written.table_rows if whole else written.rows
    counted = {} if rows is None else {ROW_COUNT: rows}
    return {
        **counted,
        SIZE_BYTES: written.table_bytes if whole else written.bytes,
        COLUMN_SCHEMA: arrow_table_schema(made.arrow_schema),
        TABLE_NAME: ".".join(target.key),
        DAGSTER_URI: target.location.uri,
        URI: target.location.uri,
        TABLE_VERSION: written.version,
    }


def _hashes(made: Materialization) -> Metadata:
    session = made.session
    plan = {} if made.identity is None else {PLAN_HASH: made.identity.plan_hash}
    return {
        SESSION_HASH: session.session_hash,
        SETTINGS_HASH: session.settings_hash,
        RESULT_SETTINGS_HASH: session.result_settings_hash,
        UDF_SNAPSHOT_HASH: session.udf_snapshot_hash,
        PROFILE_HASH: session.profile_hash,
        **plan,
    }


def _measures(made: Materialization) -> Metadata:
    elapsed = {ELAPSED_MS: round(made.elapsed_ms)}
    if made.metrics is None:
        return elapsed
    total = sum(each.files for each in made.inputs)
    return elapsed | {
        ROWS_READ: made.metrics.rows_read,
        BYTES_SCANNED: made.metrics.bytes_scanned,
        FILES_READ: made.metrics.files_read,
        # A file that two scans opened counts twice as read, and is not pruned.
        FILES_PRUNED: max(total - made.metrics.files_read, 0),
        SPILLED_BYTES: made.metrics.spilled_bytes,
        PEAK_MEMORY_BYTES: made.metrics.peak_memory_bytes,
    }


def _inputs_table(inputs: Sequence[InputRecord]) -> dg.TableMetadataValue:
    rows = (
        {
            "table": each.table,
            "version": each.version,
            "files": each.files,
            "partitions": _bounded(", ".join(each.partitions), 60),
            "uri": _bounded(each.uri, 120),
        }
        for each in inputs
    )
    return _rows(
        rows,
        {
            "table": "string",
            "version": "int",
            "files": "int",
            "partitions": "string",
            "uri": "string",
        },
    )


def _settings_table(session: SessionRuntime) -> dg.TableMetadataValue:
    defaults = default_settings()
    rows = (
        {
            "key": key.removeprefix("datafusion."),
            "value": _bounded(value, 60),
            "default": _bounded(defaults.get(key, ""), 60),
            "changes results": changes_results(key),
        }
        for key, value in hashed_settings(session.settings).items()
        if value != defaults.get(key)
    )
    return _rows(
        rows,
        {
            "key": "string",
            "value": "string",
            "default": "string",
            "changes results": "bool",
        },
    )


def _udfs_table(session: SessionRuntime) -> dg.TableMetadataValue:
    rows = (
        {
            "name": entry.name,
            "kind": entry.kind,
            "signature": _bounded(
                f"({', '.join(entry.signature)}) -> {entry.returns}", 80
            ),
            "volatility": entry.volatility,
            "digest": (entry.digest or "none")[:12],
            "origin": _bounded(entry.origin, 60),
        }
        for entry in session.functions.entries
    )
    return _rows(
        rows,
        {
            "name": "string",
            "kind": "string",
            "signature": "string",
            "volatility": "string",
            "digest": "string",
            "origin": "string",
        },
    )


def _rows(
    rows: Iterable[dict[str, Any]], columns: Mapping[str, str]
) -> dg.TableMetadataValue:
    schema = dg.TableSchema(
        [dg.TableColumn(name, kind) for name, kind in columns.items()]
    )
    records = [dg.TableRecord(row) for row in list(rows)[:20]]
    return dg.MetadataValue.table(records, schema=schema)


def _plan(text: str, chars: int) -> dg.MarkdownMetadataValue:
    lines = "\n".join(_bounded(line, 110) for line in text.splitlines())
    return dg.MetadataValue.md(f"```text\n{_bounded(lines, chars)}\n```")


def _shorter(value: Any, keep: int) -> Any:
    if isinstance(value, dg.TableMetadataValue):
        return dg.MetadataValue.table(value.records[:keep], schema=value.schema)
    return dg.MetadataValue.md(f"{_bounded(value.md_str or '', keep)}\n```")


def _bounded(text: str, chars: int) -> str:
    return text if len(text) <= chars else f"{text[: chars - 1]}…"
