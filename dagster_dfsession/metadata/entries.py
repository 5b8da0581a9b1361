"""What Dagster is told of a materialization."""

from collections.abc import Iterable, Sequence

import dagster as dg

from dagster_dfsession.delta.cursor import dump_cursor
from dagster_dfsession.display import bounded, contract_table, plan_text
from dagster_dfsession.materialization.materialize import Materialization
from dagster_dfsession.materialization.records import Change
from dagster_dfsession.metadata.budget import Metadata, within_budget
from dagster_dfsession.metadata.columns import described_columns
from dagster_dfsession.metadata.keys import (
    BYTES_SCANNED,
    CHANGES,
    COLUMN_LINEAGE,
    COLUMN_SCHEMA,
    CONTRACT,
    CURSOR,
    DAGSTER_URI,
    DETERMINISM,
    ELAPSED_MS,
    ENGINE,
    FILES_PRUNED,
    FILES_READ,
    INPUTS,
    LINEAGE,
    PEAK_MEMORY_BYTES,
    PLAN,
    PLAN_HASH,
    PROFILE_HASH,
    RAN_ON,
    RECORD,
    RESULT_SETTINGS_HASH,
    ROW_COUNT,
    ROWS_COPIED,
    ROWS_DELETED,
    ROWS_INSERTED,
    ROWS_READ,
    ROWS_UPDATED,
    SESSION_HASH,
    SESSION_TAG,
    SETTINGS,
    SETTINGS_HASH,
    SIZE_BYTES,
    SPILLED_BYTES,
    TABLE_NAME,
    TABLE_VERSION,
    UDF_SNAPSHOT_HASH,
    UDFS,
    URI,
    VARIABLE,
)
from dagster_dfsession.metadata.lineage import (
    asset_lineage,
    lineage_table,
    short_lineage_table,
)
from dagster_dfsession.metadata.tables import inputs_table, settings_table, udfs_table
from dagster_dfsession.plan.build import Reporting
from dagster_dfsession.profile.diagnostics import Explain, ExplainAnalyze, ExplainOff
from dagster_dfsession.query.explain import LINE_CHARS, slowest_text
from dagster_dfsession.session.runtime import SessionRuntime

TAG_DIGITS = 16
NO_CHANGES = "none"
FIRST = "first materialization"
CHANGES_SHOWN = 12
PARTITIONS_TOLD_WHOLE = 20
"""How many partitions of one run each tell all; of more, the last one does."""
OF_THE_RUN = (INPUTS, SETTINGS, UDFS, LINEAGE, COLUMN_LINEAGE, PLAN)
SHORT_PLAN = 600
"""Characters of the plan where everything together is over the budget."""


def materialization_metadata(
    made: Materialization,
    *,
    record: str,
    changes: str,
    reporting: Reporting,
    declared: dg.TableSchema | None = None,
) -> Metadata:
    """Return all metadata of one materialization, within the budget.

    Args:
        made: What was written.
        record: Path of its record below the lake's root.
        changes: From `changes_text`.
        reporting: How much of the plan is shown.
        declared: What the definition says of the columns.
    """
    entries = {
        **_table(made, declared),
        **_hashes(made),
        **_merged(made),
        **_measures(made),
        ENGINE: str(made.session.versions),
        CHANGES: dg.MetadataValue.md(changes),
        INPUTS: inputs_table(made.inputs, made.files_read),
        SETTINGS: settings_table(made.session),
        UDFS: udfs_table(made.session),
        RECORD: record,
    }
    shorter: Metadata = {}
    if made.lineage is not None:
        entries[LINEAGE] = lineage_table(made.lineage)
        shorter[LINEAGE] = short_lineage_table(made.lineage)
        if (deps := asset_lineage(made.lineage, made.inputs)) is not None:
            entries[COLUMN_LINEAGE] = deps
    if made.ran_on is not None:
        entries[RAN_ON] = made.ran_on
    if made.kept:
        entries[CONTRACT] = contract_table(made.kept)
    if made.cursor:
        entries[CURSOR] = dg.MetadataValue.text(dump_cursor(made.cursor))
    if made.policy.determinism != "best_effort":
        entries[DETERMINISM] = dg.MetadataValue.text(made.policy.determinism)
    if made.variable:
        entries[VARIABLE] = bounded(", ".join(made.variable), 300)
    if made.identity is not None and not isinstance(reporting.explain, ExplainOff):
        text, chars = made.identity.text, reporting.plan_chars
        slowest = _slowest(made, reporting.explain)
        entries[PLAN] = plan_text(text, chars, below=slowest)
        shorter[PLAN] = plan_text(text, min(chars, SHORT_PLAN), below=slowest)
    return within_budget(entries, shorter)


def partition_metadata(made: Materialization) -> dict[str, Metadata]:
    """Return, for a run over several partitions, what is known of each one alone.

    Rows are known unless they were appended to files that hold several partitions;
    bytes, where the files are divided by the partition columns.
    """
    if len(made.by_key) < 2:  # noqa: PLR2004  # what is said of the asset is its own
        return {}
    return {
        key: _counted(found.rows, found.bytes) for key, found in made.by_key.items()
    }


def brief_metadata(metadata: Metadata, told_by: str) -> Metadata:
    """Return what each of many partitions tells of a run that one of them tells whole.

    Args:
        metadata: Of them all.
        told_by: The partition that tells the rest.
    """
    where = (
        "What was read, settings, functions, lineage and plan are in the "
        f"materialization of partition `{bounded(told_by, 100)}`, which the same run "
        "made, and in the record."
    )
    told = {key: each for key, each in metadata.items() if key not in OF_THE_RUN}
    return told | {PLAN: dg.MetadataValue.md(where)}


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
        f"{sign} {bounded(f'{change.what} = {value}', LINE_CHARS - 2)}"
        for change in changes[:CHANGES_SHOWN]
        for sign, value in (("-", change.before), ("+", change.after))
        if value is not None
    ]
    hidden = len(changes) - CHANGES_SHOWN
    more = [f"# and {hidden} more"] if hidden > 0 else []
    return "\n".join(["```diff", *lines, *more, "```"])


def _slowest(made: Materialization, explain: Explain) -> str:
    """Return what the slowest operators took, if that is to be shown; else nothing."""
    analyzed = isinstance(explain, ExplainAnalyze) and (
        made.elapsed_ms >= explain.threshold_ms
    )
    return slowest_text(made.operators) if analyzed and made.operators else ""


def _table(made: Materialization, declared: dg.TableSchema | None) -> Metadata:
    target, written = made.target, made.written
    if target.partitions is None:
        counted = _counted(written.table_rows, written.table_bytes)
    else:
        counted = _counted(
            _sum(each.rows for each in made.by_key.values()),
            _sum(each.bytes for each in made.by_key.values()),
        )
    return {
        **counted,
        COLUMN_SCHEMA: described_columns(written.table_schema, declared),
        TABLE_NAME: ".".join(target.key),
        DAGSTER_URI: target.location.uri,
        URI: target.location.uri,
        TABLE_VERSION: written.version,
    }


def _counted(rows: int | None, size: int | None) -> Metadata:
    known = {ROW_COUNT: rows, SIZE_BYTES: size}
    return {key: value for key, value in known.items() if value is not None}


def _sum(counts: Iterable[int | None]) -> int | None:
    """Return the sum; None if one is not known, or if there is none."""
    found = list(counts)
    known = [count for count in found if count is not None]
    return sum(known) if found and len(known) == len(found) else None


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


def _merged(made: Materialization) -> Metadata:
    merged = made.written.merged
    if merged is None:
        return {}
    return {
        ROWS_INSERTED: merged.inserted,
        ROWS_UPDATED: merged.updated,
        ROWS_DELETED: merged.deleted,
        ROWS_COPIED: merged.copied,
    }


def _measures(made: Materialization) -> Metadata:
    elapsed = {ELAPSED_MS: round(made.elapsed_ms)}
    if made.metrics is None:
        return elapsed
    held = elapsed | {
        SPILLED_BYTES: made.metrics.spilled_bytes,
        PEAK_MEMORY_BYTES: made.metrics.peak_memory_bytes,
    }
    if not made.metrics.counted:
        return held
    total = sum(each.files for each in made.inputs)
    read = sum(made.files_read.values()) or made.metrics.files_read
    return held | {
        ROWS_READ: made.metrics.rows_read,
        BYTES_SCANNED: made.metrics.bytes_scanned,
        FILES_READ: made.metrics.files_read,
        # A file that two scans opened counts twice as read, but was not pruned.
        FILES_PRUNED: max(total - read, 0),
    }
