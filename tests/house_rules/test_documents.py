"""What a reader relies on is written down, and once."""

import importlib
import importlib.metadata
import re
from pathlib import Path

import pytest
import tomli

ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def declared_version() -> str:
    version: str = tomli.loads(read("pyproject.toml"))["project"]["version"]
    return version


def test_the_readme_names_every_metadata_key() -> None:
    metadata = importlib.import_module("dagster_dfsession.metadata.keys")
    keys = {
        value
        for name, value in vars(metadata).items()
        if not name.startswith("_")
        and isinstance(value, str)
        and value.startswith("dfsession/")
    }
    readme = read("README.md")

    assert keys, "metadata defines no key that starts with dfsession/"
    assert sorted(key for key in keys if f"`{key}`" not in readme) == []


def test_the_pictures_of_the_readme_are_there_and_small() -> None:
    pictures = re.findall(r"!\[[^]]+]\((docs/[^)]+)\)", read("README.md"))

    assert len(pictures) == 2
    assert {
        name for name in pictures if (ROOT / name).stat().st_size > 300_000
    } == set()


def test_the_reference_names_every_profile_field() -> None:
    profile = importlib.import_module("dagster_dfsession.profile.session")
    fields = importlib.import_module("dagster_dfsession.profile.fields")
    paths = [leaf.path for leaf in fields.leaf_fields(profile.SessionProfile)]
    reference = read("docs/reference.md")

    assert paths
    assert [path for path in paths if f"`{path}`" not in reference] == []


def test_every_phase_has_an_installer() -> None:
    phases = importlib.import_module("dagster_dfsession.plan.phases")
    session_phases = importlib.import_module("dagster_dfsession.session.phases")

    assert set(session_phases.INSTALLERS) == set(phases.Phase)


@pytest.mark.demand("D73")
def test_the_changelog_starts_with_the_version_of_this_project() -> None:
    versions = re.findall(r"^## \[([^]]+)]", read("CHANGELOG.md"), re.MULTILINE)

    assert versions[0] == declared_version()


def test_what_is_installed_is_the_version_of_this_project() -> None:
    assert importlib.metadata.version("dagster-dfsession") == declared_version()


def test_the_version_stands_in_pyproject_alone() -> None:
    sources = [*ROOT.glob("dagster_dfsession/**/*.py"), ROOT / "definitions.py"]
    spelt = f'"{declared_version()}"'

    assert [p.name for p in sources if spelt in p.read_text(encoding="utf-8")] == []
