"""Whole profiles by name."""

from collections.abc import Mapping
from types import MappingProxyType

from dagster_dfsession.profile.base import MIB
from dagster_dfsession.profile.cache import CACHE_PRESETS, CacheProfile
from dagster_dfsession.profile.delta import DeltaProfile
from dagster_dfsession.profile.execution import ExecutionProfile, ParquetProfile
from dagster_dfsession.profile.features import FeaturesProfile
from dagster_dfsession.profile.hardening import HARDENING_PRESETS
from dagster_dfsession.profile.runtime import (
    FairPool,
    GreedyPool,
    RuntimeProfile,
)
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.profile.sql import SqlProfile

DEFAULT = SessionProfile(
    name="default",
    cache=CacheProfile(
        list_files_limit=128 * MIB, list_files_ttl_s=120, metadata_limit=256 * MIB
    ),
)
DEV = SessionProfile(
    name="dev",
    execution=ExecutionProfile(
        planning_concurrency=2,
        meta_fetch_concurrency=4,
        parquet=ParquetProfile(
            metadata_size_hint=MIB // 2, predicate_cache_limit=32 * MIB
        ),
    ),
    runtime=RuntimeProfile(memory_pool=GreedyPool(size="25%")),
    cache=CacheProfile(
        list_files_limit=64 * MIB, list_files_ttl_s=120, metadata_limit=128 * MIB
    ),
    # Faster both ways than snappy, and not known to every reader.
    delta=DeltaProfile(compression="lz4_raw"),
)
PROD = SessionProfile(
    name="prod",
    execution=ExecutionProfile(
        planning_concurrency=16,
        meta_fetch_concurrency=16,
        parquet=ParquetProfile(
            metadata_size_hint=2 * MIB, predicate_cache_limit=128 * MIB
        ),
    ),
    runtime=RuntimeProfile(memory_pool=FairPool(size="75%")),
    cache=CacheProfile(
        list_files_limit=256 * MIB, list_files_ttl_s=300, metadata_limit=512 * MIB
    ),
    # A third smaller than snappy: on an object store, every byte is paid and sent.
    delta=DeltaProfile(compression="zstd(1)"),
    hardening=HARDENING_PRESETS["hardened"],
)
LOW_MEMORY = SessionProfile(
    name="low_memory",
    execution=ExecutionProfile(
        target_partitions=2,
        batch_size=2048,
        planning_concurrency=1,
        meta_fetch_concurrency=2,
        prefer_hash_join=False,
        parquet=ParquetProfile(
            metadata_size_hint=MIB // 4, predicate_cache_limit=8 * MIB
        ),
    ),
    runtime=RuntimeProfile(memory_pool=FairPool(size="10%")),
    cache=CACHE_PRESETS["isolated"],
)
REPRODUCIBLE = SessionProfile(
    name="reproducible",
    execution=ExecutionProfile(
        target_partitions=1,
        planning_concurrency=1,
        meta_fetch_concurrency=1,
        collect_statistics=False,
    ),
    sql=SqlProfile(ident_normalization="on"),
    cache=CACHE_PRESETS["snapshot_pinned"],
    hardening=HARDENING_PRESETS["hardened"],
    features=FeaturesProfile(
        dynamic_filters=False,
        join_dynamic_filters=False,
        aggregate_dynamic_filters=False,
        topk_dynamic_filters=False,
    ),
)

PRESETS: Mapping[str, SessionProfile] = MappingProxyType(
    {preset.name: preset for preset in (DEFAULT, DEV, PROD, LOW_MEMORY, REPRODUCIBLE)}
)
