"""What a person reads who got a profile wrong."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from inline_snapshot import snapshot

from dagster_dfsession.errors import ProfileError
from dagster_dfsession.plan.settings import plan_settings
from dagster_dfsession.profile.cache import CacheProfile
from dagster_dfsession.profile.codec import parse_profile, preset
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.profile.sql import SqlProfile


def refusal(data: Any, base: str | None = "dev") -> str:
    with pytest.raises(ProfileError) as refused:
        parse_profile(data, base=base)
    return str(refused.value)


def contradiction(settings: Mapping[str, str], **parts: Any) -> str:
    profile = SessionProfile(name="dev", settings=dict(settings), **parts)
    with pytest.raises(ProfileError) as refused:
        plan_settings(profile)
    return str(refused.value)


def test_an_unknown_preset_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(ProfileError) as refused:
        preset("pord")

    assert str(refused.value) == snapshot(
        "unknown preset 'pord'; known: default, dev, low_memory, prod, reproducible. Did you mean 'prod'?"
    )
    assert refusal({}, base="pord") == str(refused.value)


@pytest.mark.demand("D56")
def test_an_unknown_cache_preset_is_refused_with_the_one_that_was_meant() -> None:
    assert refusal({"cache": "isolatd"}) == snapshot(
        "$: unknown cache preset 'isolatd'; known: always_latest, isolated, snapshot_pinned. Did you mean 'isolated'?"
    )
    assert refusal({"cache": {"preset": "isolatd"}}) == snapshot(
        "$.cache.preset: unknown preset 'isolatd'; known: always_latest, isolated, snapshot_pinned. Did you mean 'isolated'?"
    )
    assert refusal({"cache": {"preset": 5}}) == snapshot(
        "$.cache.preset: Expected `str`, got int"
    )


def test_an_unknown_sql_policy_is_refused_with_the_one_that_was_meant() -> None:
    assert refusal({"sql": {"policy": "readonly"}}) == snapshot(
        "$.sql: unknown SQL policy 'readonly'; known: admin, read_only, service, write. Did you mean 'read_only'?"
    )
    assert refusal({"sql": {"policy": {"preset": "admn"}}}) == snapshot(
        "$.sql.policy.preset: unknown preset 'admn'; known: admin, read_only, service, write. Did you mean 'admin'?"
    )


def test_an_unknown_hardening_preset_is_refused_with_those_there_are() -> None:
    assert refusal({"hardening": "soft"}) == snapshot(
        "$: unknown hardening preset 'soft'; known: arrow_performance, hardened."
    )


def test_an_unknown_field_is_refused_with_its_path_and_the_field_meant() -> None:
    assert refusal({"execution": {"parquet": {"pushdown": True}}}) == snapshot(
        "$.execution.parquet: Object contains unknown field `pushdown`. Did you mean 'pushdown_filters'? It has: bloom_filters, metadata_size_hint, page_index, predicate_cache_limit, pushdown_filters, reorder_filters."
    )
    assert refusal({"sql": {"prepared": [{"nam": "x", "sql": "y"}]}}) == snapshot(
        "$.sql.prepared[0]: Object contains unknown field `nam`. Did you mean 'name'? It has: name, sql, types."
    )
    assert refusal({"sqll": {}}) == snapshot(
        "$: Object contains unknown field `sqll`. Did you mean 'sql'? It has: bootstrap, cache, catalog, delta, diagnostics, execution, extensions, features, functions, hardening, hooks, joins, materialization, name, rules, runtime, sail, settings, sql."
    )


def test_a_field_of_another_part_is_refused_with_its_place() -> None:
    said = refusal({"runtime": {"time_zone": "UTC"}})

    assert said.endswith(". The profile has hardening.time_zone.")


def test_a_field_of_another_kind_is_refused_with_the_fields_of_each_kind() -> None:
    assert refusal({"runtime": {"spill": {"kind": "none", "directory": "d"}}}) == (
        snapshot(
            "$.runtime.spill: Object contains unknown field `directory`. It has: as 'disk' directory; as 'none' nothing."
        )
    )


def test_an_unknown_kind_is_refused_with_the_kinds_there_are() -> None:
    assert refusal({"runtime": {"memory_pool": {"kind": "far", "size": "1G"}}}) == (
        snapshot(
            "$.runtime.memory_pool.kind: Invalid value 'far'; known: fair, greedy, shared, unbounded."
        )
    )


def test_an_unknown_word_is_refused_with_the_words_there_are() -> None:
    assert refusal({"materialization": {"determinism": "stabel"}}) == snapshot(
        "$.materialization.determinism: Invalid enum value 'stabel'; known: best_effort, canonical, stable. Did you mean 'stable'?"
    )


def test_a_value_out_of_bounds_is_refused_with_its_path() -> None:
    assert refusal({"execution": {"batch_size": 0}}) == snapshot(
        "$.execution.batch_size: Expected `int` >= 1"
    )
    assert refusal({"runtime": {"memory_pool": {"size": "120%"}}}) == snapshot(
        "$.runtime.memory_pool.size: Expected '2G', '512M', or a share of this machine's memory: '50%'"
    )
    assert refusal({"cache": {"preset": "isolated", "metadata_limit": -1}}) == (
        snapshot("$.cache.metadata_limit: Expected `int` >= 0")
    )


def test_a_value_of_another_type_is_refused_with_its_path() -> None:
    assert refusal({"execution": {"batch_size": "4096"}}) == snapshot(
        "$.execution.batch_size: Expected `int`, got `str`"
    )
    assert refusal({"settings": {"datafusion.execution.batch_size": 1}}) == snapshot(
        "$.settings[...]: Expected `str`, got `int`"
    )
    assert refusal({1: 2}) == snapshot("$: Expected `str`")


def test_a_sink_that_nobody_knows_is_refused_with_those_that_there_are() -> None:
    assert refusal({"diagnostics": {"sinks": ["lg"]}}) == snapshot(
        "$.diagnostics.sinks[0]: Expected dagster, delta, log, opentelemetry, or what makes a sink: 'package.module:factory'"
    )


def test_what_is_no_part_is_told_what_one_needs() -> None:
    assert refusal({"extensions": ["lake_spatial"]}) == snapshot(
        "$.extensions[0]: Expected `object`, got `str`; it needs path (The extension: 'package' or 'package:factory'.), and may have optional."
    )
    assert refusal({"runtime": {"spill": "disk"}}) == snapshot(
        "$.runtime.spill: Expected `object`, got `str`; as 'disk' directory; as 'none' nothing."
    )


@pytest.mark.parametrize("data", ["dev", [("name", "dev")], None])
def test_what_is_no_mapping_is_no_profile(data: Any) -> None:
    assert refusal(data).startswith("$: Expected `object`, got ")


def test_a_profile_without_a_name_is_refused() -> None:
    assert refusal({}, base=None) == snapshot("$: Object missing required field `name`")


@pytest.mark.parametrize("zone", ["Mars/Base", "+25:00", "+1:00", "../etc/passwd"])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    message = refusal({"hardening": {"time_zone": zone}})

    assert message == (
        f"$.hardening: HardeningProfile.time_zone: {zone!r} is no time zone; write "
        "'UTC', 'Europe/Vienna' or '+01:00'"
    )


@pytest.mark.demand("D55")
def test_the_information_schema_cannot_be_turned_off() -> None:
    assert refusal({"catalog": {"information_schema": False}}) == snapshot(
        "$.catalog: CatalogProfile.information_schema: must be true: effective settings and functions are read through it"
    )


@pytest.mark.demand("D55")
def test_a_reserved_name_is_no_catalog_and_no_schema() -> None:
    assert refusal({"catalog": {"default_catalog": "dfsession"}}) == snapshot(
        "$.catalog: CatalogProfile.default_catalog: 'dfsession' is reserved; choose another name"
    )
    assert refusal({"catalog": {"default_schema": "information_schema"}}) == snapshot(
        "$.catalog: CatalogProfile.default_schema: 'information_schema' is reserved; choose another name"
    )
    assert refusal({"catalog": {"default_catalog": "Lake"}}) == snapshot(
        "$.catalog.default_catalog: Expected a lower-case SQL identifier: letters, digits, underscore"
    )


def test_a_setting_that_a_field_describes_alone_is_refused_with_the_field() -> None:
    assert contradiction({"datafusion.runtime.memory_limit": "1G"}) == snapshot(
        "$.settings['datafusion.runtime.memory_limit']: set 'runtime.memory_pool' instead; it alone decides this"
    )


def test_a_setting_that_moves_spilling_is_refused_with_the_reason() -> None:
    assert contradiction({"datafusion.runtime.max_temp_directory_size": "1G"}) == (
        snapshot(
            "$.settings['datafusion.runtime.max_temp_directory_size']: DataFusion 55 would then spill to the system's temporary directory and not to the session's own; limit the disk space of runtime.spill.directory instead"
        )
    )


@pytest.mark.demand("D59")
def test_identifier_normalization_forced_off_stays_off() -> None:
    setting = {"datafusion.sql_parser.enable_ident_normalization": "true"}

    assert contradiction(
        setting, sql=SqlProfile(ident_normalization="force_off")
    ) == snapshot(
        "$.settings['datafusion.sql_parser.enable_ident_normalization']: sql.ident_normalization is 'force_off', which nothing may undo"
    )
    plan_settings(
        SessionProfile(
            name="dev", settings=setting, sql=SqlProfile(ident_normalization="off")
        )
    )


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda: parse_profile({"execution": {"batch_size": 0}}, base="dev"), "$.execution.batch_size"),
        (lambda: parse_profile({"cache": {"preset": "x"}}, base="dev"), "$.cache.preset"),
        (lambda: CacheProfile(metadata_limit=-1), "CacheProfile.metadata_limit"),
        (lambda: preset("x"), None),
    ],
)  # fmt: skip
def test_the_path_is_there_for_programs(
    make: Callable[[], object], path: str | None
) -> None:
    with pytest.raises(ProfileError) as refused:
        make()

    assert refused.value.path == path
