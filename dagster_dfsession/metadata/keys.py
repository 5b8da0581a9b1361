"""Every metadata key and tag, defined and described once."""

from collections.abc import Mapping
from types import MappingProxyType

SESSION_HASH = "dfsession/session_hash"
SETTINGS_HASH = "dfsession/settings_hash"
RESULT_SETTINGS_HASH = "dfsession/result_settings_hash"
UDF_SNAPSHOT_HASH = "dfsession/udf_snapshot_hash"
PROFILE_HASH = "dfsession/profile_hash"
PLAN_HASH = "dfsession/plan_hash"
ENGINE = "dfsession/engine"
RAN_ON = "dfsession/ran_on"
SETTINGS = "dfsession/settings"
UDFS = "dfsession/udfs"
INPUTS = "dfsession/inputs"
LINEAGE = "dfsession/lineage"
PLAN = "dfsession/plan"
SQL = "dfsession/sql"
VIEW = "dfsession/view"
ZERO_ROWS = "dfsession/zero_rows"
CHANGES = "dfsession/changes"
CONTRACT = "dfsession/contract"
VARIABLE = "dfsession/variable"
DETERMINISM = "dfsession/determinism"
RECORD = "dfsession/record"
TABLE_VERSION = "dfsession/table_version"
CURSOR = "dfsession/cursor"
BROKEN_ROWS = "dfsession/broken_rows"
FAULTS = "dfsession/faults"
DRIFT = "dfsession/drift"
DRIFT_FUNCTIONS = "dfsession/drift_functions"
COLUMN_CHANGES = "dfsession/column_changes"
ELAPSED_MS = "dfsession/elapsed_ms"
ROWS_READ = "dfsession/rows_read"
BYTES_SCANNED = "dfsession/bytes_scanned"
FILES_READ = "dfsession/files_read"
FILES_PRUNED = "dfsession/files_pruned"
SPILLED_BYTES = "dfsession/spilled_bytes"
PEAK_MEMORY_BYTES = "dfsession/peak_memory_bytes"
ROWS_INSERTED = "dfsession/rows_inserted"
ROWS_UPDATED = "dfsession/rows_updated"
ROWS_DELETED = "dfsession/rows_deleted"
ROWS_COPIED = "dfsession/rows_copied"
FILES_COMPACTED = "dfsession/files_compacted"
FILES_REMOVABLE = "dfsession/files_removable"
FILES_REMOVED = "dfsession/files_removed"
FILES_KEPT = "dfsession/files_kept"
BYTES_REMOVED = "dfsession/bytes_removed"
ROWS_CHECKED = "dfsession/rows_checked"
ROWS_FAILING = "dfsession/rows_failing"
EXAMPLES = "dfsession/examples"
MAINTENANCE = "dfsession/maintenance"
LAST_UPDATED = "dagster/last_updated_timestamp"
ROW_COUNT = "dagster/row_count"
SIZE_BYTES = "dagster/size_bytes"
COLUMN_SCHEMA = "dagster/column_schema"
COLUMN_LINEAGE = "dagster/column_lineage"
TABLE_NAME = "dagster/table_name"
CODE_REFERENCES = "dagster/code_references"
DAGSTER_URI = "dagster/uri"
URI = "uri"

DATA_VERSION_TAG = "dagster/data_version"
SESSION_TAG = "dfsession/session"
DRIFT_TAG = "dfsession/requested_for"
FULL_REFRESH_TAG = "dfsession/full_refresh"
"""Tag of a run that reads all rows where it would read what changed."""

DESCRIBED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        SESSION_HASH: (
            "text",
            "profile, settings, functions, extensions, rules, hooks, versions",
        ),
        SETTINGS_HASH: ("text", "effective settings, as the engine reports them"),
        RESULT_SETTINGS_HASH: ("text", "those of them that can change a result"),
        UDF_SNAPSHOT_HASH: ("text", "user functions with their code, built-ins"),
        PROFILE_HASH: ("text", "what was asked for"),
        PLAN_HASH: ("text", "the optimized query, its functions, such settings"),
        ENGINE: ("text", "versions of datafusion, deltalake and Python"),
        RAN_ON: ("text", "the engine that ran the query, if not the session's own"),
        SETTINGS: ("table", "settings that are not the engine's defaults"),
        UDFS: ("table", "user functions: signature, volatility, digest, origin"),
        INPUTS: ("table", "tables read: version, files, how, partitions, address"),
        LINEAGE: ("table", "columns: what each is made from, what decides over rows"),
        PLAN: ("Markdown", "the optimized plan, bounded; the slowest operators"),
        SQL: ("Markdown", "on a definition: the query of a SQL asset, bounded"),
        VIEW: ("JSON", "on the definition of a view: its query, and its values"),
        ZERO_ROWS: (
            "true",
            "you set it on a definition: `dfsession check` may run it over no rows",
        ),
        CHANGES: ("Markdown", "the session against the last one's; `none`"),
        CONTRACT: ("table", "rules of the asset's contract, rows checked"),
        CURSOR: (
            "text",
            "how far tables were read whose changes the asset is given",
        ),
        BROKEN_ROWS: ("table", "of a check: up to five rows that break each rule"),
        FAULTS: ("table", "of a check: what a query falls over, line and column"),
        DRIFT: ("table", "of a check: the session that made it against that of now"),
        DRIFT_FUNCTIONS: ("Markdown", "of a check: what changed in functions' texts"),
        COLUMN_CHANGES: ("table", "of a check: columns before and now"),
        VARIABLE: ("text", "why the rows could differ if it ran again, if so"),
        DETERMINISM: (
            "text",
            "`stable` or `canonical`, if two runs have more in common than rows",
        ),
        RECORD: ("text", "the file below the lake's root that has all in full"),
        TABLE_VERSION: ("number", "Delta version that was written"),
        ELAPSED_MS: ("number", "milliseconds of computing and writing"),
        ROWS_READ: ("number", "rows that came out of the scans"),
        BYTES_SCANNED: ("number", "bytes that the scans read"),
        FILES_READ: ("number", "data files that the scans opened"),
        FILES_PRUNED: ("number", "data files of the inputs left unopened"),
        SPILLED_BYTES: ("number", "bytes written to disk for want of memory"),
        PEAK_MEMORY_BYTES: (
            "number",
            "bytes that hash joins say they held at most",
        ),
        ROWS_INSERTED: ("number", "rows that a merge inserted"),
        ROWS_UPDATED: ("number", "rows that a merge updated"),
        ROWS_DELETED: ("number", "rows that a merge deleted"),
        ROWS_COPIED: ("number", "rows that a merge moved to another file as is"),
        FILES_COMPACTED: ("number", "data files that maintenance compacted"),
        FILES_REMOVABLE: (
            "number",
            "files that its dry run found to be of no use",
        ),
        FILES_REMOVED: ("number", "those of them that it removed"),
        FILES_KEPT: ("number", "old files that it left because replays need them"),
        BYTES_REMOVED: ("number", "bytes of the files that it removed"),
        MAINTENANCE: (
            "table",
            "its steps: version, measures, why nothing was done",
        ),
        ROWS_CHECKED: ("number", "rows that a check of a SQL file looked at"),
        ROWS_FAILING: ("number", "those of them that break it"),
        EXAMPLES: ("table", "some of these rows"),
        LAST_UPDATED: ("time", "when an observed table's rows last changed"),
        ROW_COUNT: ("number", "rows of the table, or of the partitions written"),
        SIZE_BYTES: ("number", "bytes of its data files"),
        COLUMN_SCHEMA: ("schema", "columns and Arrow types"),
        COLUMN_LINEAGE: ("lineage", "columns of assets that each column is made from"),
        TABLE_NAME: ("text", "name of the table in SQL"),
        CODE_REFERENCES: ("link", "on a definition: file and line of its query"),
        DAGSTER_URI: ("text", "address of the table"),
        URI: ("text", "the same, where dagster-deltalake puts it"),
        DATA_VERSION_TAG: (
            "tag",
            "equal only where the rows are equal",
        ),
        SESSION_TAG: ("tag", "first 16 digits of `dfsession/session_hash`"),
        DRIFT_TAG: ("tag", "on a run that a drift sensor asked for: what changed"),
        FULL_REFRESH_TAG: (
            "tag",
            "`true` on a run: it reads tables whole, not their changes",
        ),
    }
)
"""Key -> how Dagster's page shows it, and what it is."""
