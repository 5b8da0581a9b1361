"""How the package is built: rules over its syntax, so that what was left stays left."""

import ast
import graphlib
from collections import Counter
from pathlib import Path

import pytest
import tomli

from tests.demands.source import (
    PACKAGE,
    body,
    calls,
    classes,
    functions,
    imported,
    modules,
)

OURS = "dagster_dfsession."

# Imported where somebody uses them: an extra that may not be installed.
EXTRAS = {"polars", "polars.io.plugins"}


def layers() -> dict[str, int]:
    """Return layer -> its height, the lowest 0."""
    text = (PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8")
    contracts = tomli.loads(text)["tool"]["importlinter"]["contracts"]
    (levels,) = [each["layers"] for each in contracts if each["type"] == "layers"]
    return {
        name.strip(" ()"): height
        for height, level in enumerate(reversed(levels))
        for name in level.split("|")
    }


def at_run_time(tree: ast.Module) -> ast.Module:
    """Return a module less what stands below `if TYPE_CHECKING`."""
    kept = [node for node in tree.body if not isinstance(node, ast.If)]
    return ast.Module(body=kept, type_ignores=[])


@pytest.mark.demand("D8")
@pytest.mark.demand("D14")
def test_no_module_imports_one_above_it_not_even_late() -> None:
    heights = layers()
    upward = [
        (name, target)
        for name, tree in modules().items()
        for target, _ in imported(tree)
        if target.startswith(OURS) and name.partition(".")[0] in heights
        if (top := target.removeprefix(OURS).partition(".")[0]) != name.partition(".")[0]
        if heights[top] >= heights[name.partition(".")[0]]
    ]  # fmt: skip

    assert upward == []


@pytest.mark.demand("D44")
@pytest.mark.demand("D49")
def test_imports_stand_on_top_but_for_what_dagster_loads() -> None:
    # From the resource upwards, Dagster loads modules to know what there is; what
    # they need to run is imported once they do.
    heights = layers()
    late = {
        (name, target)
        for name, function in functions()
        for target, _ in imported(function)
        if heights.get(name.partition(".")[0], 0) < heights["resources"]
        if target not in EXTRAS
    }
    below = [
        (name, node.lineno)
        for name, tree in modules().items()
        for before, node in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and not isinstance(before, ast.Import | ast.ImportFrom | ast.Expr)
    ]

    assert late == set()
    assert below == []


@pytest.mark.demand("D49")
def test_imports_make_no_circle() -> None:
    known = {f"{OURS}{name}": name for name in modules()}
    needs: dict[str, set[str]] = {}
    for name, tree in modules().items():
        found = needs.setdefault(name, set())
        for node in at_run_time(tree).body:
            found |= {known[at] for at, _ in imported(node) if at in known}

    assert len(tuple(graphlib.TopologicalSorter(needs).static_order())) == len(needs)


@pytest.mark.demand("D12")
@pytest.mark.demand("D70")
def test_no_package_and_no_module_only_passes_names_on() -> None:
    packages = {p.parent.name for p in PACKAGE.glob("**/__init__.py")} - {PACKAGE.name}
    passing = {
        name
        for name, tree in modules().items()
        if not any(
            isinstance(n, ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign)
            and ast.unparse(n) != f"__all__ = {_all(tree)}"
            for n in tree.body
        )
        and body(tree)
    }

    assert packages
    # `dg` looks for components in the package that an entry point names.
    assert passing == {"components"}


def _all(tree: ast.Module) -> list[str]:
    named = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    return named[0] if named else []


@pytest.mark.demand("D12")
@pytest.mark.demand("D42")
def test_the_public_names_are_few_and_each_has_one_home() -> None:
    root = modules()["__init__"]
    homes = Counter(
        node.name
        for tree in modules().values()
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    )
    names = [name for name in _all(root) if not name.endswith("Error")]

    assert 0 < len(names) <= 45
    assert {name: homes[name] for name in names if homes[name] != 1} == {}


@pytest.mark.demand("D13")
def test_no_function_only_hands_its_arguments_on() -> None:
    handing_on = [
        (name, each.name)
        for name, tree in modules().items()
        for each in tree.body
        if isinstance(each, ast.FunctionDef) and not each.decorator_list
        for only in body(each)
        if len(body(each)) == 1 and isinstance(only, ast.Return)
        if isinstance(call := only.value, ast.Call)
        if [ast.unparse(given) for given in call.args] == [a.arg for a in each.args.args]
        and each.args.args and not call.keywords
    ]  # fmt: skip

    assert handing_on == []


@pytest.mark.demand("D13")
def test_no_struct_wraps_one_other_struct() -> None:
    ours = {each.name for _, each in classes()}
    wrapping = {
        each.name
        for _, each in classes()
        if {ast.unparse(base) for base in each.bases} & {"Frozen", "NamedTuple", "msgspec.Struct"}
        and [type(n) for n in body(each)] == [ast.AnnAssign]
        and not any(word.arg == "tag" for word in each.keywords)
        for field in body(each)
        if isinstance(field, ast.AnnAssign) and ast.unparse(field.annotation) in ours
    }  # fmt: skip

    assert wrapping == set()


@pytest.mark.demand("D63")
def test_there_are_no_mixins() -> None:
    ours = {each.name for _, each in classes()}
    of_two = {
        each.name
        for _, each in classes()
        if len(ours & {ast.unparse(base) for base in each.bases}) > 1
        or each.name.endswith("Mixin")
    }
    casts = [
        (name, ast.unparse(call))
        for name, call, called in calls()
        if called in {"cast", "typing.cast"} and ast.unparse(call.args[1]) == "self"
    ]
    answering = {name for name, each in functions() if each.name == "__getattr__"}

    assert of_two == set()
    assert casts == []
    # PEP 562, and what stands in the place of an accumulator of the user.
    assert answering == {"__init__", "session.functions.guard"}


@pytest.mark.demand("D71")
def test_a_payload_of_telemetry_shares_its_name_with_nothing() -> None:
    payloads = {each.name for at, each in classes() if at == "telemetry.payloads"}
    others = {each.name for name, each in classes() if name != "telemetry.payloads"}

    assert payloads
    assert payloads & others == set()


@pytest.mark.demand("D6")
def test_the_phase_that_observes_is_the_only_one_that_shows_anything() -> None:
    showing = {
        name
        for name, tree in modules().items()
        if name.startswith("session.phases.")
        for target, _ in imported(tree)
        if "telemetry" in target or target.endswith(("session.system", "logging"))
    }

    assert showing == {"session.phases.observability"}


@pytest.mark.demand("D30")
def test_the_package_is_python_and_nothing_else() -> None:
    found = {p.suffix for p in PACKAGE.rglob("*") if _is_source(p)}

    assert found <= {".py", ".typed", ".sql", ".html", ".css", ".js", ".jinja"}


def _is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts
