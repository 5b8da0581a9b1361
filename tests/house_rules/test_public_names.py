"""The public surface is a sorted list of names, bound when first asked for."""

import importlib
import subprocess
import sys
from types import ModuleType

import pytest

ENGINES = ["datafusion", "deltalake"]


@pytest.fixture
def package() -> ModuleType:
    return importlib.import_module("dagster_dfsession")


def run_python(code: str) -> str:
    """Run `code` in a new interpreter; return what it printed."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.demand("D42")
@pytest.mark.demand("D73")
def test_public_names_are_sorted_and_said_once(package: ModuleType) -> None:
    names: list[str] = package.__all__

    assert names == sorted(set(names))
    assert not [name for name in names if name.startswith("_")]


def test_every_public_name_is_there(package: ModuleType) -> None:
    assert [name for name in package.__all__ if not hasattr(package, name)] == []


def test_dir_offers_every_public_name(package: ModuleType) -> None:
    assert set(package.__all__) <= set(dir(package))


def test_a_star_import_brings_every_public_name(package: ModuleType) -> None:
    code = "from dagster_dfsession import *; print(*sorted(set(dir())))"

    assert set(package.__all__) <= set(run_python(code).split())


def test_a_name_that_is_not_there_is_an_attribute_error(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        package.no_such_name  # noqa: B018  # asking is the test


@pytest.mark.demand("D43")
def test_importing_the_package_starts_no_engine() -> None:
    code = (
        "import sys, dagster_dfsession;"
        f"print(*(name for name in {ENGINES} if name in sys.modules))"
    )

    assert run_python(code) == ""


def test_every_error_is_public(package: ModuleType) -> None:
    errors = importlib.import_module("dagster_dfsession.errors")
    declared = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.DfSessionError)
    }

    assert declared <= set(package.__all__)
