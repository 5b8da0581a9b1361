"""The one way from a profile to settings: what is applied is what is hashed."""

import operator
from collections.abc import Callable
from typing import Any

import msgspec

from dagster_dfsession.errors import ProfileError
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.profile.session import SessionProfile

RUNTIME_PREFIX = "datafusion.runtime."

DESCRIBED_ELSEWHERE = {
    "datafusion.catalog.create_default_catalog_and_schema": "catalog.default_catalog",
    "datafusion.catalog.default_catalog": "catalog.default_catalog",
    "datafusion.catalog.default_schema": "catalog.default_schema",
    "datafusion.catalog.information_schema": "catalog.information_schema",
    "datafusion.runtime.memory_limit": "runtime.memory_pool",
    "datafusion.runtime.temp_directory": "runtime.spill.directory",
}

DYNAMIC_FILTERS = "datafusion.optimizer.enable_dynamic_filter_pushdown"
"""Setting it sets every kind of dynamic filters, so theirs are set after it."""

MOVES_SPILLING = frozenset(
    {
        "datafusion.runtime.max_temp_directory_size",
        "datafusion.runtime.max_spill_merge_fan_in",
    }
)
"""Setting one makes DataFusion 55 forget the session's spill directory."""


class Setting(Frozen, frozen=True):
    """A DataFusion setting and the profile field that asks for it."""

    key: str
    value: str
    source: str

    @property
    def is_runtime(self) -> bool:
        """Whether only SQL `SET` takes the key: `SessionConfig.set` refuses it."""
        return self.key.startswith(RUNTIME_PREFIX)


def size_text(size: int) -> str:
    """Return bytes as `SET` takes them: a whole number of K, M or G, rounded up.

    Examples:
        >>> size_text(64 * 1024 * 1024), size_text(1025), size_text(0)
        ('64M', '2K', '0K')
    """
    kib = -(-size // 1024)
    for unit, factor in (("G", 1024 * 1024), ("M", 1024)):
        if kib and kib % factor == 0:
            return f"{kib // factor}{unit}"
    return f"{kib}K"


def duration_text(seconds: int) -> str:
    """Return seconds as `SET` takes them.

    Examples:
        >>> duration_text(120), duration_text(90)
        ('2m', '1m30s')
    """
    minutes, rest = divmod(seconds, 60)
    return (f"{minutes}m" if minutes else "") + (f"{rest}s" if rest else "")


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _opposite(value: object) -> str:
    return _plain(not value)


def _folds(value: object) -> str:
    return _plain(value == "on")


_Text = Callable[[Any], str]

RULES: tuple[tuple[str, str, _Text], ...] = (
    ("execution.target_partitions", "execution.target_partitions", _plain),
    ("execution.batch_size", "execution.batch_size", _plain),
    ("execution.planning_concurrency", "execution.planning_concurrency", _plain),
    ("execution.meta_fetch_concurrency", "execution.meta_fetch_concurrency", _plain),
    ("execution.collect_statistics", "execution.collect_statistics", _plain),
    ("execution.prefer_hash_join", "optimizer.prefer_hash_join", _plain),
    (
        "joins.collect_left_bytes",
        "optimizer.hash_join_single_partition_threshold",
        _plain,
    ),
    (
        "joins.collect_left_rows",
        "optimizer.hash_join_single_partition_threshold_rows",
        _plain,
    ),
    (
        "execution.repartition_file_min_size",
        "optimizer.repartition_file_min_size",
        _plain,
    ),
    (
        "execution.sort_spill_reservation",
        "execution.sort_spill_reservation_bytes",
        _plain,
    ),
    ("execution.spill_compression", "execution.spill_compression", _plain),
    (
        "execution.parquet.pushdown_filters",
        "execution.parquet.pushdown_filters",
        _plain,
    ),
    ("execution.parquet.reorder_filters", "execution.parquet.reorder_filters", _plain),
    ("execution.parquet.page_index", "execution.parquet.enable_page_index", _plain),
    (
        "execution.parquet.bloom_filters",
        "execution.parquet.bloom_filter_on_read",
        _plain,
    ),
    (
        "execution.parquet.metadata_size_hint",
        "execution.parquet.metadata_size_hint",
        _plain,
    ),
    (
        "execution.parquet.predicate_cache_limit",
        "execution.parquet.max_predicate_cache_size",
        _plain,
    ),
    ("sql.dialect", "sql_parser.dialect", _plain),
    ("sql.ident_normalization", "sql_parser.enable_ident_normalization", _folds),
    ("sql.float_as_decimal", "sql_parser.parse_float_as_decimal", _plain),
    ("sql.null_ordering", "sql_parser.default_null_ordering", _plain),
    ("cache.list_files_limit", "runtime.list_files_cache_limit", size_text),
    ("cache.list_files_ttl_s", "runtime.list_files_cache_ttl", duration_text),
    ("cache.metadata_limit", "runtime.metadata_cache_limit", size_text),
    ("cache.file_statistics_limit", "runtime.file_statistics_cache_limit", size_text),
    ("diagnostics.explain_format", "explain.format", _plain),
    ("diagnostics.explain_schema", "explain.show_schema", _plain),
    ("diagnostics.explain_statistics", "explain.show_statistics", _plain),
    ("diagnostics.analyze_level", "explain.analyze_level", _plain),
    ("hardening.time_zone", "execution.time_zone", _plain),
    ("hardening.view_types", "sql_parser.map_string_types_to_utf8view", _plain),
    ("hardening.view_types", "execution.parquet.schema_force_view_types", _plain),
    ("hardening.expand_views_at_output", "optimizer.expand_views_at_output", _plain),
    ("hardening.binary_as_string", "execution.parquet.binary_as_string", _plain),
    (
        "hardening.strict_aggregates",
        "execution.skip_physical_aggregate_schema_check",
        _opposite,
    ),
    ("hardening.ansi_mode", "execution.enable_ansi_mode", _plain),
    ("features.dynamic_filters", "optimizer.enable_dynamic_filter_pushdown", _plain),
    (
        "features.join_dynamic_filters",
        "optimizer.enable_join_dynamic_filter_pushdown",
        _plain,
    ),
    (
        "features.aggregate_dynamic_filters",
        "optimizer.enable_aggregate_dynamic_filter_pushdown",
        _plain,
    ),
    (
        "features.topk_dynamic_filters",
        "optimizer.enable_topk_dynamic_filter_pushdown",
        _plain,
    ),
    ("features.sort_pushdown", "optimizer.enable_sort_pushdown", _plain),
    (
        "features.unpruned_symmetric_joins",
        "optimizer.allow_symmetric_joins_without_pruning",
        _plain,
    ),
)
"""Profile field, DataFusion key less its first word, and how the value is spelt."""


def plan_settings(profile: SessionProfile) -> tuple[Setting, ...]:
    """Return every setting that the profile asks for, sorted by key.

    The fields come first and `profile.settings` wins over them; a field that is
    None asks for nothing, so the engine's own default stays.

    Raises:
        ProfileError: `settings` holds a key that a field describes alone.
    """
    _refuse_contradictions(profile)
    features = profile.features
    if profile.settings.get(DYNAMIC_FILTERS) == "false":
        features = msgspec.structs.replace(features, dynamic_filters=False)
    asked = msgspec.structs.replace(profile, features=features.gated)
    merged = {
        setting.key: setting
        for path, key, text in RULES
        if (value := operator.attrgetter(path)(asked)) is not None
        for setting in [
            Setting(key=f"datafusion.{key}", value=text(value), source=path)
        ]
    }
    merged |= {
        key: Setting(key=key, value=value, source="settings")
        for key, value in profile.settings.items()
    }
    return tuple(merged[key] for key in sorted(merged))


def _refuse_contradictions(profile: SessionProfile) -> None:
    for key in sorted(profile.settings):
        path = f"$.settings[{key!r}]"
        if key in DESCRIBED_ELSEWHERE:
            raise ProfileError.at(
                path, f"set {DESCRIBED_ELSEWHERE[key]!r} instead; it alone decides this"
            )
        if key in MOVES_SPILLING:
            raise ProfileError.at(
                path,
                "DataFusion 55 would then spill to the system's temporary directory "
                "and not to the session's own; limit the disk space of "
                "runtime.spill.directory instead",
            )
        if (
            key == "datafusion.sql_parser.enable_ident_normalization"
            and profile.sql.ident_normalization == "force_off"
        ):
            raise ProfileError.at(
                path, "sql.ident_normalization is 'force_off', which nothing may undo"
            )
