"""The settings that can change what a query returns, by section, with reasons."""

from collections.abc import Mapping
from types import MappingProxyType

RESULT: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "catalog": {
            "create_default_catalog_and_schema": "without them bare names fail",
            "default_catalog": "where a name without a catalog is looked up",
            "default_schema": "where a name without a schema is looked up",
            "format": "with location: a schema `default` of tables in this format",
            "has_header": "whether an external CSV's first line is names or a row",
            "information_schema": "whether information_schema can be queried",
            "location": "with format: a schema `default` of the tables found there",
            "newlines_in_values": "whether large CSVs with quoted newlines are read",
        },
        "execution": {
            "enable_ansi_mode": "strictness of Spark functions, which extensions bring",
            "enable_recursive_ctes": "whether WITH RECURSIVE is accepted",
            "listing_table_factory_infer_partitions": "Hive directories become columns",
            "listing_table_ignore_subdirectory": "whether files below are read as rows",
            "skip_physical_aggregate_schema_check": "accepts plans the check refuses",
            "time_zone": "type and value of now() and of text read as a timestamp",
        },
        "execution.parquet": {
            "binary_as_string": "binary columns are read as text",
            "coerce_int96": "unit, and so range, of INT96 timestamps",
            "coerce_int96_tz": "time zone of INT96 timestamps that are coerced",
            "schema_force_view_types": "text columns are Utf8View or Utf8",
            "skip_metadata": "field metadata and so extension types, such as UUID",
        },
        "optimizer": {
            "allow_symmetric_joins_without_pruning": "may refuse unbounded joins",
            "enable_physical_uncorrelated_scalar_subquery": (
                "off: a subquery of many rows multiplies rows instead of failing"
            ),
            "enable_piecewise_merge_join": (
                "experimental: its outer joins lose the rows whose key is NULL"
            ),
            "expand_views_at_output": "text is returned as LargeUtf8, not Utf8View",
            "max_passes": "0 refuses DISTINCT and subqueries",
            "skip_failed_rules": "accepts a query in which folding a constant fails",
        },
        "spark": {
            "map_key_dedup_policy": "duplicate keys of Spark maps: error or last",
        },
        "sql_parser": {
            "default_null_ordering": "where ORDER BY puts NULLs, also inside windows",
            "dialect": "what the text means: quotes, operators, statements",
            "enable_ident_normalization": "whether unquoted names become lower case",
            "enable_subquery_sort_elimination": "whether an inner ORDER BY is obeyed",
            "map_string_types_to_utf8view": "CAST AS VARCHAR gives Utf8View or Utf8",
            "parse_float_as_decimal": "whether 0.1 is a float or a decimal",
            "recursion_limit": "whether deeply nested text is accepted",
            "support_varchar_with_length": "whether VARCHAR(n) is accepted",
        },
    }
)
