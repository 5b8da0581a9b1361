"""Every wish reaches the plan, and no two plans have one fingerprint."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from inline_snapshot import snapshot

from dagster_dfsession.errors import ProfileError
from dagster_dfsession.plan.build import plan_session, profile_hash
from dagster_dfsession.plan.explain import explain_plan
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.plan.phases import Phase
from dagster_dfsession.profile.cache import PlansOnDisk
from dagster_dfsession.profile.delta import BloomFilter
from dagster_dfsession.profile.diagnostics import ExplainPlan
from dagster_dfsession.profile.extensions import Extension, RulesProfile
from dagster_dfsession.profile.fields import leaf_fields
from dagster_dfsession.profile.functions import FunctionsProfile
from dagster_dfsession.profile.hooks import HooksProfile
from dagster_dfsession.profile.presets import DEV, PRESETS
from dagster_dfsession.profile.runtime import (
    NoSpill,
    RuntimeProfile,
    SpillToDisk,
    UnboundedPool,
)
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.profile.sql import Prepared

ROOT = Path(__file__).parents[2]

# For every leaf of a profile, one value unlike the preset's.
OTHER: dict[str, Any] = {
    "name": "other",
    "execution.target_partitions": 3,
    "execution.batch_size": 7,
    "execution.planning_concurrency": 3,
    "execution.meta_fetch_concurrency": 3,
    "execution.collect_statistics": False,
    "execution.prefer_hash_join": False,
    "joins.collect_left_bytes": 7,
    "joins.collect_left_rows": 7,
    "execution.repartition_file_min_size": 7,
    "execution.sort_spill_reservation": 7,
    "execution.spill_compression": "zstd",
    "execution.parquet.pushdown_filters": True,
    "execution.parquet.reorder_filters": True,
    "execution.parquet.page_index": False,
    "execution.parquet.bloom_filters": False,
    "execution.parquet.metadata_size_hint": 7,
    "execution.parquet.predicate_cache_limit": 7,
    "runtime.memory_pool": UnboundedPool(),
    "runtime.spill": NoSpill(),
    "catalog.default_catalog": "other",
    "catalog.default_schema": "other",
    "sql.policy.allow_ddl": True,
    "sql.policy.allow_dml": True,
    "sql.policy.allow_statements": True,
    "sql.dialect": "duckdb",
    "sql.ident_normalization": "off",
    "sql.float_as_decimal": True,
    "sql.null_ordering": "nulls_min",
    "sql.url_tables": True,
    "sql.prepared": (Prepared(name="one", sql="SELECT 1"),),
    "cache.list_files_limit": 7 * 1024,
    "cache.list_files_ttl_s": 7,
    "cache.metadata_limit": 7 * 1024,
    "cache.file_statistics_limit": 7 * 1024,
    "cache.plans": PlansOnDisk(directory="elsewhere"),
    "delta.compression": "snappy",
    "delta.target_file_size": 7,
    "delta.row_group_rows": 7,
    "delta.bloom_filters": (BloomFilter(column="id"),),
    "delta.statistics": "all",
    "delta.max_commit_retries": 7,
    "delta.protocol": "warn",
    "delta.max_reader_version": 2,
    "delta.max_writer_version": 5,
    "materialization.determinism": "canonical",
    "materialization.streaming": False,
    "functions.modules": ("other.udfs",),
    "functions.names": ("other",),
    "functions.spark": True,
    "extensions": (Extension(path="other:extension"),),
    "rules.remove": ("push_down_filter",),
    "rules.add": ("other:rule",),
    "hooks.before_session": ("other:hook",),
    "hooks.after_session": ("other:hook",),
    "hooks.before_query": ("other:hook",),
    "hooks.after_query": ("other:hook",),
    "hooks.before_write": ("other:hook",),
    "hooks.after_write": ("other:hook",),
    "hooks.on_error": ("other:hook",),
    "hooks.failure": "log",
    "diagnostics.install_log": "info",
    "diagnostics.explain": ExplainPlan(),
    "diagnostics.plan_chars": 7,
    "diagnostics.system_tables": False,
    "diagnostics.sinks": ("log",),
    "diagnostics.query_text": True,
    "diagnostics.explain_format": "tree",
    "diagnostics.explain_schema": True,
    "diagnostics.explain_statistics": True,
    "diagnostics.analyze_level": "summary",
    "bootstrap.mode": "one_row",
    "bootstrap.exact_schemas": False,
    "hardening.time_zone": "Europe/Vienna",
    "hardening.view_types": False,
    "hardening.expand_views_at_output": True,
    "hardening.binary_as_string": True,
    "hardening.strict_aggregates": False,
    "hardening.ansi_mode": True,
    "features.dynamic_filters": False,
    "features.join_dynamic_filters": False,
    "features.aggregate_dynamic_filters": False,
    "features.topk_dynamic_filters": False,
    "features.sort_pushdown": False,
    "features.unpruned_symmetric_joins": False,
    "sail.address": "grpc://sail.example:32010",
    "sail.mode": "local-cluster",
    "sail.workers": 2,
    "sail.parallelism": 7,
    "sail.memory": 4096,
    "sail.retries": 0,
    "sail.parity": "sample",
    "sail.parity_rows": 7,
    "settings": {"datafusion.execution.coalesce_batches": "false"},
}
# Nothing but true is allowed, and a test holds that.
FIXED = {"catalog.information_schema"}


def with_leaf(part: Any, path: str, value: Any) -> Any:
    name, _, rest = path.partition(".")
    if rest:
        value = with_leaf(getattr(part, name), rest, value)
    return msgspec.structs.replace(part, **{name: value})


@pytest.mark.demand("D54")
def test_every_leaf_of_a_profile_is_in_the_table() -> None:
    paths = {leaf.path for leaf in leaf_fields(SessionProfile)}

    assert paths == set(OTHER) | FIXED
    with pytest.raises(ProfileError):
        with_leaf(DEV, "catalog.information_schema", value=False)


@pytest.mark.demand("D54")
@pytest.mark.parametrize("path", OTHER)
def test_every_leaf_of_a_profile_reaches_the_plan_and_both_hashes(path: str) -> None:
    other = with_leaf(DEV, path, OTHER[path])

    assert plan_session(other).decided != plan_session(DEV).decided
    assert plan_session(other).fingerprint != plan_session(DEV).fingerprint
    assert profile_hash(other) != profile_hash(DEV)


def test_a_spill_directory_changes_the_plan_and_not_the_profile_hash() -> None:
    spill = RuntimeProfile(
        memory_pool=DEV.runtime.memory_pool, spill=SpillToDisk(directory="elsewhere")
    )
    here = msgspec.structs.replace(DEV, runtime=spill)

    assert plan_session(here).fingerprint != plan_session(DEV).fingerprint
    assert profile_hash(here) == profile_hash(DEV)


def test_two_wishes_that_come_to_the_same_are_two_plans() -> None:
    off, forced = (
        with_leaf(DEV, "sql.ident_normalization", each) for each in ("off", "force_off")
    )

    assert plan_session(off).decided == plan_session(forced).decided
    assert plan_session(off).fingerprint != plan_session(forced).fingerprint


@pytest.mark.demand("D76")
def test_the_profile_hashes_of_the_presets_stay() -> None:
    hashes = {name: profile_hash(profile) for name, profile in PRESETS.items()}

    assert hashes == snapshot(
        {
            "default": "9e205af8a5febdfbc820ee2f9255c96295adee77923ad000e2971c9bde314c83",
            "dev": "11f3cf62dbcaabe5455b49c214f4928bcd70d43f508c7b6998c9b6892c0d2118",
            "prod": "7bc954abfd6a9697b9828affc4b4a42424706c156c899346e162a7f0f8295d7f",
            "low_memory": "8926a748ba05187a38992f6d11fdc28531b38c292df3b674449b05bfd0776d7b",
            "reproducible": "48bee9df99d86d65e6580f833f701f13c32a4fa2187abc68b9cf565d989cc811",
        }
    )


@pytest.mark.demand("D76")
@pytest.mark.parametrize("name", PRESETS)
def test_the_plans_of_the_presets_read_so(
    name: str, golden: Callable[[str, str], None]
) -> None:
    golden(f"plan_{name}", explain_plan(plan_session(PRESETS[name])))


@pytest.mark.demand("D19")
def test_a_plan_shows_all_that_will_be_installed(
    golden: Callable[[str, str], None],
) -> None:
    profile = SessionProfile(
        name="everything",
        functions=FunctionsProfile(modules=("shop.udfs",), spark=True),
        extensions=(Extension(path="shop.engine:planner", optional=True),),
        rules=RulesProfile(remove=("push_down_filter",), add=("shop.engine:rule",)),
        hooks=HooksProfile(
            after_session=tuple(f"shop.hooks:h{n}" for n in range(7)),
            on_error=("shop.hooks:page", "shop.hooks:log"),
        ),
        runtime=RuntimeProfile(memory_pool=UnboundedPool(), spill=NoSpill()),
        settings={"datafusion.explain.format": "tree"},
    )
    profile = with_leaf(profile, "sql.prepared", OTHER["sql.prepared"])
    profile = with_leaf(profile, "sql.url_tables", value=True)

    golden("plan_everything", explain_plan(plan_session(profile)))


@pytest.mark.demand("D67")
def test_hashes_are_the_same_in_every_process() -> None:
    code = (
        "from dagster_dfsession.plan.build import plan_session\n"
        "from dagster_dfsession.profile.presets import PRESETS\n"
        "for each in PRESETS.values():\n"
        "    print(plan_session(each).profile_hash, plan_session(each).fingerprint)\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }

    plans = [plan_session(each) for each in PRESETS.values()]
    here = [f"{plan.profile_hash} {plan.fingerprint}\n" for plan in plans]
    assert printed == {"".join(here)}


@pytest.mark.demand("D14")
@pytest.mark.demand("D19")
def test_planning_needs_no_engine() -> None:
    code = (
        "import sys\n"
        "from dagster_dfsession.plan.build import plan_session\n"
        "from dagster_dfsession.profile.presets import PRESETS\n"
        "[plan_session(each) for each in PRESETS.values()]\n"
        "heavy = {'datafusion', 'deltalake', 'pyarrow', 'dagster', 'opentelemetry'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert printed == "[]\n"


def test_a_plan_has_a_step_for_every_phase() -> None:
    assert [step.phase for step in plan_session(DEV).steps] == list(Phase)


@pytest.mark.demand("D67")
def test_kind_and_version_are_part_of_a_hash() -> None:
    hashes = {content_hash(k, v, {"a": 1}) for k in ("x", "y") for v in (1, 2)}

    assert len(hashes) == 4
    assert content_hash("x", 1, {"a", "b"}) == content_hash("x", 1, {"b", "a"})
