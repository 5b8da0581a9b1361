"""The layers that import-linter holds are the layers there are."""

from pathlib import Path
from typing import Any

import pytest
import tomli

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dagster_dfsession"


def contracts() -> list[dict[str, Any]]:
    project = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = project["tool"]["importlinter"]["contracts"]
    return found


def layers() -> list[str]:
    """Name every layer, the highest first."""
    (contract,) = [c for c in contracts() if c["type"] == "layers"]
    return [
        name.strip(" ()") for level in contract["layers"] for name in level.split("|")
    ]


@pytest.mark.demand("D14")
def test_every_module_is_a_layer_and_every_layer_a_module() -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}

    assert sorted(layers()) == sorted(modules | packages)


@pytest.mark.demand("D8")
def test_no_layer_escapes_the_contract() -> None:
    (contract,) = [c for c in contracts() if c["type"] == "layers"]

    assert contract["exhaustive"] is True
    assert contract["containers"] == ["dagster_dfsession"]
    assert "ignore_imports" not in contract


@pytest.mark.demand("D14")
@pytest.mark.parametrize("layer", ["errors", "plan", "profile", "telemetry"])
def test_a_pure_layer_may_import_no_engine(layer: str) -> None:
    forbidden = forbidden_to(f"dagster_dfsession.{layer}")

    assert {"dagster", "datafusion", "deltalake", "pyarrow"} <= forbidden


@pytest.mark.parametrize("layer", ["delta", "pool", "query", "session"])
def test_an_engine_layer_may_not_import_dagster(layer: str) -> None:
    assert "dagster" in forbidden_to(f"dagster_dfsession.{layer}")


def forbidden_to(module: str) -> set[str]:
    return {
        name
        for contract in contracts()
        if contract["type"] == "forbidden" and module in contract["source_modules"]
        for name in contract["forbidden_modules"]
    }
