"""No module outgrows its reader, none is a drawer for odds and ends."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dagster_dfsession"
LIMIT = 300
DRAWERS = {"base", "common", "facade", "helpers", "manager", "mixin", "utils"}
# The base that every struct of a profile shares is a thing, not a drawer.
NOT_A_DRAWER = {"profile/base.py"}


def python_files() -> list[str]:
    """Every Python file that git holds or is about to hold."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return sorted({name for name in listed if (ROOT / name).is_file()})


@pytest.mark.demand("D6")
@pytest.mark.demand("D11")
def test_a_module_has_at_most_300_lines() -> None:
    lengths = {
        name: (ROOT / name).read_text(encoding="utf-8").count("\n")
        for name in python_files()
    }

    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > LIMIT} == {}


def test_no_module_is_a_drawer() -> None:
    modules = {p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.py")}
    drawers = {name for name in modules if Path(name).stem in DRAWERS}

    assert drawers <= NOT_A_DRAWER


def test_the_package_tells_type_checkers_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
