"""The way of docs/components.md, by the real `dg`, in a project of its own."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable

PROJECT = """
[project]
name = "shop"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "shop"
"""
DEFINITIONS = """
from pathlib import Path

from dagster import definitions, load_from_defs_folder


@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
# One process is enough, and faster than one for each step.
IN_PROCESS = json.dumps({"execution": {"config": {"in_process": {}}}})


class Project:
    """What `create-dagster project` makes, less what needs no `dg`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.defs = root / "src" / "shop" / "defs"
        self.defs.mkdir(parents=True)
        (root / "home").mkdir()
        (root / "pyproject.toml").write_text(PROJECT)
        (self.defs.parent / "__init__.py").touch()
        (self.defs.parent / "definitions.py").write_text(DEFINITIONS)

    def dg(self, *words: str) -> subprocess.CompletedProcess[str]:
        bin_folder = str(Path(sys.executable).parent)
        environment = {
            **os.environ,
            "DAGSTER_HOME": str(self.root / "home"),
            "PATH": os.pathsep.join([bin_folder, os.environ["PATH"]]),
            "PYTHONPATH": str(self.root / "src"),
            "VIRTUAL_ENV": str(Path(sys.executable).parents[1]),
        }
        return subprocess.run(
            ["dg", *words],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


def test_the_installed_package_registers_its_components() -> None:
    points = importlib.metadata.entry_points(group="dagster_dg_cli.registry_modules")

    assert "dagster_dfsession.components" in {each.value for each in points}


def test_a_session_component_starts_no_engine() -> None:
    code = (
        "import sys, dagster as dg\n"
        "from dagster_dfsession.components import SessionResourceComponent as Session\n"
        "context = dg.ComponentTree.for_test().load_context\n"
        "Session(root_uri='lake').build_defs(context).get_repository_def()\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    loaded = set(done.stdout.split())
    assert "dagster" in loaded
    assert loaded.isdisjoint({"datafusion", "deltalake", "pyarrow", "polars", "pandas"})


@pytest.fixture(scope="module")
def scaffolded(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was empty before one command."""
    project = Project(tmp_path_factory.mktemp("scaffolded"))
    done = project.dg("scaffold", "defs", "SqlAssetsComponent", "sales")
    assert done.returncode == 0, done.stderr
    return project


@pytest.mark.slow
def test_what_is_scaffolded_passes_the_checks(scaffolded: Project) -> None:
    checked = scaffolded.dg("check", "defs")

    assert "All component YAML validated successfully." in checked.stdout
    assert "All definitions loaded successfully." in checked.stdout
    assert checked.returncode == 0


@pytest.mark.slow
def test_what_is_scaffolded_is_listed(scaffolded: Project) -> None:
    listed = scaffolded.dg("list", "defs", "--json")

    found = json.loads(listed.stdout)
    assert {each["asset_key"]: each["dependency_keys"] for each in found["assets"]} == {
        "sales": [],
        "sales_by_customer": ["sales"],
    }
    assert {"dfsession", "io_manager"} <= {each["name"] for each in found["resources"]}
    assert found["assets"][0]["source"] == "src/shop/defs/sales/sql/sales.sql:4"


@pytest.mark.slow
def test_what_is_scaffolded_materializes(scaffolded: Project) -> None:
    launched = scaffolded.dg("launch", "--assets", "*", "--config-json", IN_PROCESS)

    assert launched.returncode == 0, launched.stderr
    lake = scaffolded.root / "data" / "lake"
    assert DeltaTable(str(lake / "sales_by_customer")).version() == 0


@pytest.mark.slow
def test_check_yaml_tells_the_line_of_a_mistake(tmp_path: Path) -> None:
    project = Project(tmp_path)
    (project.defs / "lake").mkdir()
    (project.defs / "lake" / "defs.yaml").write_text(
        "type: dagster_dfsession.components.SessionResourceComponent\n"
        "attributes:\n"
        "  root_uri: data/lake\n"
        "  profile:\n"
        "    execution:\n"
        "      batchsize: 4096\n"
    )

    checked = project.dg("check", "yaml")

    assert checked.returncode == 1
    assert "defs.yaml:6" in checked.stdout
    assert "('batchsize' was unexpected)" in checked.stdout
