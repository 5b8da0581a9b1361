"""Code locations: found as Dagster finds them, and what is wrong is said."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from dagster_dfsession.code_location import (
    CodeLocation,
    CodeSource,
    find_source,
    load_code_location,
)
from dagster_dfsession.errors import CodeLocationError

ONE = "import dagster as dg\ndefs = dg.Definitions(assets=[dg.AssetSpec('one')])\n"
LAZY = """
import dagster as dg
@dg.definitions
def defs():
    return dg.Definitions(assets=[dg.AssetSpec('lazy')])
"""


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def keys(source: CodeSource) -> list[str]:
    return [each.to_user_string() for each in load_code_location(source).keys]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"definitions.py": ONE}, "one"),
        ({"definitions.py": LAZY}, "lazy"),
        ({"workspace.yaml": "load_from:\n- python_file: a.py\n", "a.py": LAZY}, "lazy"),
        (
            {
                "workspace.yaml": "load_from:\n- python_file: {relative_path: b/a.py, attribute: defs}\n",
                "b/a.py": ONE,
            },
            "one",
        ),
        (
            {
                "workspace.yaml": "load_from:\n- python_module: {module_name: cl_mod_a, working_directory: src}\n",
                "src/cl_mod_a.py": ONE,
            },
            "one",
        ),
        (
            {
                "pyproject.toml": "[tool.dg.project]\nroot_module = 'cl_pkg_b'\n",
                "cl_pkg_b/definitions.py": LAZY,
            },
            "lazy",
        ),
        (
            {
                "pyproject.toml": "[tool.dagster]\nmodule_name = 'cl_mod_c'\n",
                "cl_mod_c.py": ONE,
            },
            "one",
        ),
        ({"pyproject.toml": "[project]\n", "definitions.py": ONE}, "one"),
    ],
)
def test_a_location_is_found_as_dagster_finds_it(
    files: dict[str, str], found: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        written(tmp_path / name, text)

    assert keys(find_source(tmp_path)) == [found]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "has no workspace.yaml, no pyproject.toml that names a Dagster project"),
        ({"workspace.yaml": "load_from: []"}, "does not name one code location"),
        ({"workspace.yaml": "load_from: [{grpc_server: {port: 1}}]"}, "'grpc_server'"),
        ({"pyproject.toml": "="}, "is no TOML"),
        ({"definitions.py": "1/0"}, "ZeroDivisionError: division by zero"),
        ({"definitions.py": "x = 1"}, "has 0 Definitions (nothing)"),
        ({"definitions.py": f"{ONE}\nmore = defs"}, "has 2 Definitions (defs, more)"),
        ({"workspace.yaml": "load_from: [{python_file: a.py}]"}, "there is no file"),
    ],
)
def test_what_is_wrong_with_a_location_is_said(
    files: dict[str, str], said: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        written(tmp_path / name, text)

    with pytest.raises(CodeLocationError) as refused:
        load_code_location(find_source(tmp_path))

    assert said in str(refused.value)


def test_one_of_several_definitions_can_be_named(tmp_path: Path) -> None:
    path = written(tmp_path / "defs_two.py", f"{ONE}\nmore = defs")

    assert keys(
        CodeSource(python_file=path, attribute="more", working_directory=tmp_path)
    ) == ["one"]


def test_an_asset_is_found_by_its_key_and_by_its_name_in_sql() -> None:
    spec = dg.AssetSpec(["raw", "flights"])
    location = CodeLocation(dg.Definitions(assets=[spec]), "here")

    assert location.key("raw/flights") == location.key("raw.flights") == spec.key


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda at: at.key("tow"), "there is two. Did you mean 'two'?"),
        (lambda at: at.session(), "has 0 session resources (nothing)"),
        (lambda at: at.lake(at.key("two")), "stored by none of this package's"),
    ],
)
def test_what_a_location_has_not_is_said(
    ask: Callable[[CodeLocation], object], said: str
) -> None:
    @dg.asset
    def two() -> int:
        return 2

    with pytest.raises(CodeLocationError) as refused:
        ask(CodeLocation(dg.Definitions(assets=[two]), "here"))

    assert said in str(refused.value)
