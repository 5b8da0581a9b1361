"""The launchpad's form of the resource: every leaf of a profile, bounded, described."""

import enum
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import pytest
from inline_snapshot import snapshot
from pydantic import ValidationError

from dagster_dfsession import DataFusionDeltaIOManager, DataFusionSessionResource
from dagster_dfsession.config.profile import ProfileConfig
from dagster_dfsession.config.storage import ENV_VARS
from dagster_dfsession.errors import ProfileError
from dagster_dfsession.profile.codec import parse_profile
from dagster_dfsession.profile.fields import leaf_fields
from dagster_dfsession.profile.presets import PRESETS
from dagster_dfsession.profile.session import SessionProfile

OWN_FIELDS = {"preset", "kind"}
"""Fields of the form that no struct has: names of presets, kinds of choices."""


def leaves(config: type[dg.Config], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Return path and field of every leaf of a generated class."""
    for name, field in config.model_fields.items():
        for choice in typing.get_args(field.annotation) or (field.annotation,):
            if isinstance(choice, type) and issubclass(choice, dg.Config):
                yield from leaves(choice, f"{prefix}{name}.")
                break
        else:
            yield f"{prefix}{name}", field


def parts(path: str) -> Any:
    """Return a field of the resource as Dagster has it."""
    definition = DataFusionSessionResource(preset="dev").get_resource_definition()
    field: Any = definition.config_schema.as_field()
    for name in path.split("."):
        kind = field.config_type
        field = getattr(kind, "inner_type", kind).fields[name]
    return field


def test_every_leaf_of_a_profile_is_a_field_of_the_form() -> None:
    form = {path for path, _ in leaves(ProfileConfig)}
    structs = {leaf.path for leaf in leaf_fields(SessionProfile)}
    # A tagged choice is one leaf of the struct, and a part of the form.
    choices = {p for p in structs if any(f.startswith(f"{p}.") for f in form)}

    assert structs - form - choices == set()
    assert choices == {
        "cache.plans",
        "diagnostics.explain",
        "runtime.memory_pool",
        "runtime.spill",
    }
    own = {
        path
        for path in form - structs
        if not any(path.startswith(f"{choice}.") for choice in choices)
    }
    assert {path.rpartition(".")[2] for path in own} <= OWN_FIELDS


def test_every_field_of_the_form_is_described_in_dagster_s_schema() -> None:
    for path, field in leaves(ProfileConfig):
        assert field.description, path
    for path in (
        "preset",
        "profile",
        "udfs",
        "extensions",
        "root_uri",
        "storage_options",
        "profile.execution",
        "profile.execution.batch_size",
        "profile.runtime.memory_pool",
        "profile.runtime.memory_pool.size",
        "profile.hardening.time_zone",
    ):
        assert parts(path).description, path


def test_every_field_of_the_form_may_be_left_out() -> None:
    assert all(not field.is_required() for _, field in leaves(ProfileConfig))
    assert not parts("profile.execution.batch_size").is_required


def test_the_form_of_a_resource_has_what_was_given_and_no_null() -> None:
    given = {"execution": {"batch_size": 7}, "cache": {"preset": "isolated"}}
    form = DataFusionSessionResource(profile=given).profile

    assert form is not None
    assert {name: dict(part) for name, part in form} == given


def test_the_description_of_the_preset_lists_them_all() -> None:
    told = DataFusionSessionResource.model_fields["preset"].description or ""

    assert all(name in told for name in PRESETS)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_alone_is_that_profile(name: str) -> None:
    resource = DataFusionSessionResource(preset=name)

    assert resource.plan().profile == PRESETS[name]


def test_the_form_says_what_the_codec_reads() -> None:
    changes = {
        "execution": {"batch_size": 100, "parquet": {"bloom_filters": False}},
        "runtime": {"memory_pool": {"kind": "greedy", "size": "1G"}},
        "sql": {"dialect": "duckdb", "policy": {"preset": "service"}},
        "cache": {"preset": "isolated", "metadata_limit": 5},
        "settings": {"datafusion.execution.soft_max_rows_per_output_file": "1000"},
        "functions": {"modules": ["a.b"]},
    }
    resource = DataFusionSessionResource(preset="prod", profile=changes)

    assert resource.plan().profile == parse_profile(changes, base="prod")


def test_functions_are_added_to_those_of_the_profile() -> None:
    resource = DataFusionSessionResource(
        profile={"functions": {"modules": ["a.b"]}}, udfs=["c.d"]
    )

    assert resource.plan().functions.modules == ("a.b", "c.d")


def test_extensions_are_added_to_those_of_the_profile() -> None:
    resource = DataFusionSessionResource(
        profile={"extensions": [{"path": "a:b", "optional": True}]}, extensions=["c.d"]
    )

    assert [(each.path, each.optional) for each in resource.plan().extensions] == [
        ("a:b", True),
        ("c.d", False),
    ]


def test_an_unknown_preset_is_refused_where_it_is_written_down() -> None:
    with pytest.raises(ProfileError) as refused:
        DataFusionSessionResource(preset="prd")

    assert str(refused.value) == snapshot(
        "unknown preset 'prd'; known: default, dev, low_memory, prod, reproducible. Did you mean 'prod'?"
    )


@pytest.mark.parametrize(
    ("profile", "path"),
    [
        ({"execution": {"batch_size": 0}}, ("profile", "execution", "batch_size")),
        ({"execution": {"batchsize": 1}}, ("profile", "execution", "batchsize")),
        ({"sql": {"dialect": "klingon"}}, ("profile", "sql", "dialect")),
        ({"delta": {"compression": "zip"}}, ("profile", "delta", "compression")),
        ({"nothing": {}}, ("profile", "nothing")),
    ],
)
def test_a_wrong_field_is_refused_at_definition_with_its_path(
    profile: Mapping[str, Any], path: tuple[str, ...]
) -> None:
    with pytest.raises(ValidationError) as refused:
        DataFusionSessionResource(profile=profile)

    (error,) = refused.value.errors()
    assert error["loc"] == path


def test_an_extension_that_is_a_text_is_told_what_it_needs() -> None:
    with pytest.raises(ValidationError) as refused:
        DataFusionSessionResource(profile={"extensions": ["lake_spatial"]})

    (error,) = refused.value.errors()
    assert error["loc"] == ("profile", "extensions", 0)
    assert error["msg"] == (
        "Expected `object`, got `str`; it needs path (The extension: 'package' or "
        "'package:factory'.), and may have optional."
    )


def test_what_goes_with_which_kind_is_refused_at_definition() -> None:
    with pytest.raises(ProfileError) as refused:
        DataFusionSessionResource(
            profile={"runtime": {"memory_pool": {"kind": "unbounded", "size": "2G"}}}
        )

    assert str(refused.value).startswith(
        "$.runtime.memory_pool: Object contains unknown field `size`"
    )


def test_choices_are_enumerations_in_dagster_s_schema() -> None:
    spill = parts("profile.runtime.spill.kind").config_type.inner_type

    assert [value.config_value for value in spill.enum_values] == ["disk", "none"]


def test_a_misspelt_field_of_either_resource_is_refused() -> None:
    with pytest.raises(ValidationError, match="storge_options"):
        DataFusionSessionResource(storge_options={})  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="root_url"):
        DataFusionDeltaIOManager(  # type: ignore[call-arg]
            session=DataFusionSessionResource(), root_uri="lake", root_url="x"
        )


def test_a_variable_is_checked_where_its_value_is_known() -> None:
    resource = DataFusionSessionResource(
        preset=dg.EnvVar("SOME_PRESET"),
        profile={
            "execution": {"batch_size": dg.EnvVar.int("SOME_SIZE")},
            "delta": {"compression": dg.EnvVar("SOME_CODEC")},
        },
    )

    profile: Any = resource.profile
    assert isinstance(profile.execution.batch_size, ENV_VARS)
    assert isinstance(profile.delta.compression, ENV_VARS)


def test_enumerations_of_the_form_are_those_of_the_structs() -> None:
    enums = {
        path: {member.value for member in choice}
        for path, field in leaves(ProfileConfig)
        for choice in typing.get_args(field.annotation)
        if choice is not types.NoneType
        and isinstance(choice, type)
        and issubclass(choice, enum.Enum)
    }

    assert enums["runtime.memory_pool.kind"] == {
        "fair",
        "greedy",
        "shared",
        "unbounded",
    }
    assert enums["sql.ident_normalization"] == {"off", "on", "force_off"}
