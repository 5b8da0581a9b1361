"""YAML makes the resources that Python would make, and no secret is in them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pydantic
import pytest
from dagster.components.testing import DefsFolderSandbox
from jsonschema import (  # type: ignore[import-untyped]  # what dg checks with
    Draft202012Validator,
)

from dagster_dfsession import (
    DataFusionDeltaIOManager,
    DataFusionSessionResource,
    SessionResourceComponent,
)
from tests.components.conftest import DAGSTERS_OWN, SESSION, Load, Write

pytestmark = DAGSTERS_OWN


def schema() -> dict[str, Any]:
    return SessionResourceComponent.get_model_cls().model_json_schema()


def described(part: Mapping[str, Any], where: str) -> Iterator[tuple[str, Any]]:
    for name, field in part.get("properties", {}).items():
        yield f"{where}.{name}", field.get("description")


def complaints(attributes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say what `dg check yaml` says: where, and what is wrong."""
    found = Draft202012Validator(schema()).iter_errors(attributes)
    return [(each.json_path, each.message) for each in found]


def test_yaml_makes_the_session_that_python_makes(write: Write, load: Load) -> None:
    changes = {"execution": {"batch_size": 4096}, "cache": {"preset": "isolated"}}
    write(
        "lake",
        SESSION,
        root_uri="s3://b/lake",
        preset="prod",
        profile=changes,
        mode="append",
    )

    made = load().resources or {}

    session, lake = made["dfsession"], made["io_manager"]
    same = DataFusionSessionResource(preset="prod", profile=changes)
    assert session.plan() == same.plan()
    assert isinstance(lake, DataFusionDeltaIOManager)
    assert (lake.root_uri, lake.mode, lake.schema_mode) == (
        "s3://b/lake",
        "append",
        "strict",
    )
    assert lake.session is session


def test_a_relative_root_is_below_the_project(
    write: Write, load: Load, project: DefsFolderSandbox
) -> None:
    write("lake", SESSION, root_uri="data/lake")

    lake = (load().resources or {})["io_manager"]

    assert Path(lake.root_uri) == project.project_root / "data" / "lake"


def test_every_field_says_what_it_is() -> None:
    whole = schema()
    told = dict(described(whole, "$"))
    for name, part in whole["$defs"].items():
        told |= dict(described(part, name))

    assert len(told) > 100
    assert [name for name, text in told.items() if not text] == []


def test_a_mistake_in_the_profile_is_told_where_it_stands() -> None:
    wrong = {"root_uri": "lake", "profile": {"execution": {"batchsize": 4096}}}

    assert complaints(wrong) == [
        (
            "$.profile.execution",
            "Additional properties are not allowed ('batchsize' was unexpected)",
        )
    ]
    with pytest.raises(pydantic.ValidationError) as refused:
        SessionResourceComponent.from_attributes_dict(attributes=wrong)
    assert [each["loc"] for each in refused.value.errors()] == [
        ("profile", "execution", "batchsize")
    ]


@pytest.mark.parametrize(
    ("attributes", "where"),
    [
        ({}, "$"),
        ({"root_uri": 3}, "$.root_uri"),
        ({"root_uri": "lake", "presets": "dev"}, "$"),
        ({"root_uri": "lake", "profile": {"execution": None}}, "$.profile.execution"),
        (
            {"root_uri": "lake", "profile": {"execution": {"batch_size": 0}}},
            "$.profile.execution.batch_size",
        ),
    ],
)
def test_check_yaml_finds_what_is_wrong(attributes: dict[str, Any], where: str) -> None:
    assert [path for path, _ in complaints(attributes)] == [where]


def test_an_unknown_preset_is_refused_with_the_one_that_was_meant(
    write: Write, load: Load
) -> None:
    write("lake", SESSION, root_uri="lake", preset="prd")

    with pytest.raises(Exception, match="Error while building definitions") as refused:
        load()

    assert "Did you mean 'prod'?" in str(refused.value.__cause__)


@pytest.mark.parametrize("text", ["{{ env.LAKE_SECRET }}", "{{env('LAKE_SECRET')}}"])
def test_a_secret_is_read_in_the_run_and_stored_nowhere(
    write: Write, load: Load, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("LAKE_SECRET", "hunter2")
    options = {"secret_access_key": text, "region": "eu-central-1"}
    write("lake", SESSION, root_uri="s3://b/lake", storage_options=options)

    defs = load()
    lake = (defs.resources or {})["io_manager"]

    assert isinstance(lake.storage_options["secret_access_key"], dg.EnvVar)
    for name in ("dfsession", "io_manager"):
        stored = defs.get_repository_def().get_top_level_resources()[name]
        told = stored.config_schema.default_value
        assert told["storage_options"] == {
            "secret_access_key": {"env": "LAKE_SECRET"},
            "region": "eu-central-1",
        }


@pytest.mark.parametrize(
    "text",
    [
        "{{ env.LAKE_SECRET | upper }}",
        "{{ env.LAKE_SECRET or 'hunter2' }}",
        "Bearer {{ env.LAKE_SECRET }}",
        "{{ env('LAKE_SECRET', 'hunter2') }}",
    ],
)
def test_what_would_store_a_secret_is_refused(
    write: Write, load: Load, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("LAKE_SECRET", "hunter2")
    write("lake", SESSION, root_uri="lake", storage_options={"sas_token": text})

    with pytest.raises(Exception, match="Error while loading component") as refused:
        load()

    assert (
        "storage_options['sas_token'] is more than '{{ env.NAME }}'. The run reads such "
        "a variable, so that Dagster stores no secret, and cannot add to it: put the "
        "whole value into the variable."
    ) in str(refused.value.__cause__)


def test_other_templates_are_what_they_are_anywhere(
    write: Write, load: Load, project: DefsFolderSandbox
) -> None:
    options = {"region": "eu-{{ 'central' }}-1"}
    there = "{{ context.project_root }}/spill"
    write(
        "lake",
        SESSION,
        root_uri="s3://{{ env('NO_SUCH_BUCKET', 'b') }}/lake",
        storage_options=options,
        profile={"runtime": {"spill": {"kind": "disk", "directory": there}}},
    )

    made = load().resources or {}

    assert made["io_manager"].root_uri == "s3://b/lake"
    assert made["io_manager"].storage_options == {"region": "eu-central-1"}
    spill = made["dfsession"].plan().profile.runtime.spill.directory
    assert Path(spill) == project.project_root.resolve() / "spill"


def test_no_text_shows_the_options() -> None:
    options = {"sas_token": "hunter2"}
    component = SessionResourceComponent(root_uri="lake", storage_options=options)

    assert "hunter2" not in repr(component)
    with pytest.raises(pydantic.ValidationError) as refused:
        SessionResourceComponent(root_uri="lake", storage_options=["hunter2"])  # type: ignore[arg-type]
    assert "hunter2" not in str(refused.value)


def test_a_project_may_have_two_sessions(write: Write, load: Load) -> None:
    write("near", SESSION, root_uri="near")
    far = {"session_key": "far_session", "io_manager_key": "far_lake"}
    write("far", SESSION, root_uri="s3://b/far", **far)

    assert set(load().resources or {}) == {"dfsession", "io_manager", *far.values()}
