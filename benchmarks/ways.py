"""Ways to write and to read the same tables, as data, for `benchmarks.layouts`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

BY_DATE = MappingProxyType({"lineitem": "l_shipdate", "orders": "o_orderdate"})


class Way(NamedTuple):
    """How tables are written and read.

    Attributes:
        profile: Over the preset `default`; its `delta` is the layout.
        sort_by: Table -> the column by which its rows are sorted when it is written.
    """

    profile: Mapping[str, Any] = MappingProxyType({})
    sort_by: Mapping[str, str] = MappingProxyType({})

    @property
    def is_layout(self) -> bool:
        """Whether its tables are others than those of the default."""
        return "delta" in self.profile or bool(self.sort_by)


def _setting(key: str, value: str) -> Way:
    return Way({"settings": {f"datafusion.{key}": value}})


def _execution(**values: object) -> Way:
    return Way({"execution": values})


def _delta(**values: object) -> Way:
    return Way({"delta": values})


def _one_build(mib: int, rows: int) -> Way:
    """Return a limit below which a join builds one hash table for all partitions."""
    return Way({"joins": {"collect_left_bytes": mib << 20, "collect_left_rows": rows}})


WAYS: Mapping[str, Way] = MappingProxyType(
    {
        "default": Way(),
        "as before": Way(
            {
                "joins": {
                    "collect_left_bytes": 1 << 20,
                    "collect_left_rows": 128 * 1024,
                },
                "delta": {"compression": "zstd(3)"},
            }
        ),
        "pushdown": _execution(parquet={"pushdown_filters": True}),
        "pushdown, reordered": _execution(
            parquet={"pushdown_filters": True, "reorder_filters": True}
        ),
        "partitions x 2": _execution(target_partitions=4),
        "batch of 16,384": _execution(batch_size=16_384),
        "plain strings": Way({"hardening": {"view_types": False}}),
        "no dynamic filters": Way({"features": {"dynamic_filters": False}}),
        "piecewise merge join": _setting(
            "optimizer.enable_piecewise_merge_join", "true"
        ),
        "statistics registry": _setting("optimizer.use_statistics_registry", "true"),
        "join order as written": _setting("optimizer.join_reordering", "false"),
        "selectivity of 5 %": _setting("optimizer.default_filter_selectivity", "5"),
        "sparse array joins": _setting(
            "execution.perfect_hash_join_min_key_density", "0.05"
        ),
        "early partial groups": _setting(
            "execution.skip_partial_aggregation_probe_ratio_threshold", "0.5"
        ),
        "one build, 1 MiB": _one_build(1, 128 * 1024),
        "one build, 8 MiB": _one_build(8, 1 << 20),
        "one build, 256 MiB": _one_build(256, 16 << 20),
        "zstd(3)": _delta(compression="zstd(3)"),
        "snappy": _delta(compression="snappy"),
        "lz4_raw": _delta(compression="lz4_raw"),
        "uncompressed": _delta(compression="uncompressed"),
        "lz4_raw, 128k row groups": _delta(
            compression="lz4_raw", row_group_rows=128 * 1024
        ),
        "32 MiB files": _delta(target_file_size=32 << 20),
        "sorted by date": Way(sort_by=BY_DATE),
    }
)
