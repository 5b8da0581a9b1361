"""What is scaffolded loads and materializes at once, as YAML and as Python."""

from typing import Any

import pytest
from dagster.components.testing import DefsFolderSandbox

from dagster_dfsession import SessionResourceComponent, SqlAssetsComponent
from tests.components.conftest import DAGSTERS_OWN, Load

pytestmark = DAGSTERS_OWN


@pytest.mark.parametrize("form", ["yaml", "python"])
def test_scaffolded_queries_materialize_in_an_empty_project(
    project: DefsFolderSandbox, load: Load, form: Any
) -> None:
    project.scaffold_component(SqlAssetsComponent, "sales", scaffold_format=form)

    result = load().resolve_implicit_global_asset_job_def().execute_in_process()

    assert result.success
    totals = result.output_for_node("sales_by_customer").to_pydict()
    assert dict(zip(totals["customer"], totals["total"], strict=True)) == {
        "ann": 7.0,
        "bob": 5.0,
    }
    assert (project.project_root / "data" / "lake" / "sales").is_dir()


@pytest.mark.parametrize("form", ["yaml", "python"])
def test_a_project_that_has_a_session_is_given_no_other(
    project: DefsFolderSandbox, load: Load, form: Any
) -> None:
    params = {"preset": "prod", "root_uri": "s3://b/lake"}
    project.scaffold_component(
        SessionResourceComponent, "lake", params, scaffold_format=form
    )
    project.scaffold_component(SqlAssetsComponent, "sales", scaffold_format=form)
    project.scaffold_component(SqlAssetsComponent, "More-Sales")

    defs = load()

    assert sorted(each.name for each in project.defs_folder_path.iterdir()) == [
        "More-Sales",
        "lake",
        "sales",
    ]
    assert set(defs.resources or {}) == {"dfsession", "io_manager"}
    assert (defs.resources or {})["io_manager"].root_uri == "s3://b/lake"
    assert {each.path[0] for each in defs.resolve_all_asset_keys()} == {
        *("sales", "sales_by_customer", "more_sales", "more_sales_by_customer")
    }


def test_a_session_that_python_makes_is_one(project: DefsFolderSandbox) -> None:
    (project.defs_folder_path.parent / "resources.py").write_text(
        "from dagster_dfsession import DataFusionSessionResource\n"
    )

    project.scaffold_component(SqlAssetsComponent, "sales")

    assert [each.name for each in project.defs_folder_path.iterdir()] == ["sales"]


@pytest.mark.parametrize(
    ("params", "told"),
    [({"root_url": "x"}, "root_url"), ({"preset": "prd"}, "Did you mean 'prod'")],
)
def test_wrong_parameters_write_nothing(
    project: DefsFolderSandbox, params: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        project.scaffold_component(SessionResourceComponent, "lake", params)

    assert list(project.defs_folder_path.iterdir()) == []
