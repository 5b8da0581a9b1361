"""Where state is, and where none is: rules over the syntax and the imported modules."""

import ast
import dataclasses
import enum
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.demands.source import calls, functions, modules, nodes

CHANGING = {"add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "setdefault", "update"}  # fmt: skip
EMPTY = {"[]", "{}", "set()", "dict()", "list()"}
# What a session is made of: kept for a process by an object, never by a decorator.
LIVE = {"Session", "SessionContext", "DataFrame", "Lease", "RunSession", "Site", "SessionPlan"}  # fmt: skip


def constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield name and value of whatever a module assigns."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.value is not None:
            yield from ((ast.unparse(each), node.value) for each in node.targets)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield ast.unparse(node.target), node.value


def never_changes(value: Any) -> bool:
    """Tell whether an object of ours is one of the kinds that stay as they are."""
    if isinstance(value, msgspec.Struct):
        return value.__struct_config__.frozen
    if dataclasses.is_dataclass(value):
        return bool(vars(type(value))["__dataclass_params__"].frozen)
    return isinstance(value, type | enum.Enum | tuple)


@pytest.mark.demand("D21")
@pytest.mark.demand("D81")
def test_the_process_has_one_cache_and_one_gate_and_no_other_state() -> None:
    # The group of commands is click's, and is made of a constant.
    stateless = {"Commands"}
    found = {
        type(value).__name__
        for name in modules()
        if name != "__init__"
        for value in vars(importlib.import_module(f"dagster_dfsession.{name}")).values()
        if type(value).__module__.startswith("dagster_dfsession.")
        and not never_changes(value)
    }

    assert found - stateless == {"ProcessSessions", "Gate"}


@pytest.mark.demand("D21")
@pytest.mark.demand("D81")
def test_no_module_changes_what_it_holds() -> None:
    held = {
        name: {constant for constant, _ in constants(tree)}
        for name, tree in modules().items()
    }
    empty = [
        (name, constant)
        for name, tree in modules().items()
        for constant, value in constants(tree)
        if ast.unparse(value) in EMPTY
    ]
    changed = [
        (name, ast.unparse(node))
        for name, node in nodes(ast.Global, ast.Subscript)
        if isinstance(node, ast.Global)
        or (
            isinstance(node, ast.Subscript)
            and not isinstance(node.ctx, ast.Load)
            and ast.unparse(node.value) in held[name]
        )
    ]
    changed += [
        (name, ast.unparse(call))
        for name, call, called in calls()
        if called.partition(".")[0] in held[name]
        and called.partition(".")[2] in CHANGING
    ]

    assert empty == []
    assert changed == []


@pytest.mark.demand("D21")
@pytest.mark.demand("D43")
def test_no_decorator_keeps_sessions() -> None:
    keeping = [
        (name, each.name)
        for name, each in functions()
        if any("cache" in ast.unparse(d) and "property" not in ast.unparse(d) for d in each.decorator_list)
        if LIVE & {n.id for n in ast.walk(each.args) if isinstance(n, ast.Name)}
        or (each.returns is not None and ast.unparse(each.returns).strip('"') in LIVE)
    ]  # fmt: skip

    # It holds nothing: plans are made into frames by it, for their columns.
    assert keeping == [("query.planned", "_asking")]


@pytest.mark.demand("D43")
def test_importing_everything_makes_nothing() -> None:
    names = [f"dagster_dfsession.{name}" for name in modules() if name != "__init__"]
    code = f"""
import gc, importlib, threading
for name in {names!r}:
    importlib.import_module(name)
from datafusion import SessionContext
from dagster_dfsession.pool.cache import PROCESS_SESSIONS
from dagster_dfsession.session.session import Session
made = [each for each in gc.get_objects() if isinstance(each, (Session, SessionContext))]
print(made, threading.active_count(), dict(PROCESS_SESSIONS.cache.holders()))
"""
    printed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert printed == "[] 1 {}\n"


@pytest.mark.demand("D60")
@pytest.mark.demand("D78")
def test_a_frozen_value_is_set_while_it_is_built_and_never_after() -> None:
    setting = [
        (name, each.name)
        for name, each in functions()
        if each.name != "__post_init__"
        for node in ast.walk(each)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"force_setattr", "object.__setattr__", "setattr"}
    ]

    assert setting == []


@pytest.mark.demand("D78")
def test_no_frozen_value_holds_what_changes() -> None:
    structs = {
        value
        for name in modules()
        if name != "__init__"
        for value in vars(importlib.import_module(f"dagster_dfsession.{name}")).values()
        if isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and value.__module__.startswith("dagster_dfsession.")
        and value.__struct_config__.frozen
    }
    holding = {
        (struct.__name__, field)
        for struct in structs
        for field, kind in inspect.get_annotations(struct).items()
        if str(kind).startswith(("set[", "list[", "collections.deque", "threading."))
    }

    assert len(structs) > 50
    assert holding == set()


@pytest.mark.demand("D60")
def test_building_a_value_calls_what_is_pure() -> None:
    impure = ("Path", "SessionContext", "importlib.", "install", "load", "make", "open", "os.", "read", "register", "write")  # fmt: skip
    called = {
        ast.unparse(node.func)
        for _, each in functions()
        if each.name == "__post_init__"
        for node in ast.walk(each)
        if isinstance(node, ast.Call)
    }

    assert called
    assert {each for each in called if each.lstrip("_").startswith(impure)} == set()


@pytest.mark.demand("D77")
def test_nothing_that_changes_is_called_as_if_it_only_asked() -> None:
    # Methods that Dagster and click call by these names.
    foreign = {"get_command", "get_model_cls", "get_scaffold_params"}
    found = {
        each.name
        for _, each in functions()
        if each.name.startswith(("get_", "_get_", "ensure_", "_ensure_", "maybe_"))
    }

    assert found <= foreign


@pytest.mark.demand("D79")
def test_no_handler_takes_all_and_says_nothing() -> None:
    silent = []
    for name, node in nodes(ast.ExceptHandler):
        assert isinstance(node, ast.ExceptHandler)
        caught = "" if node.type is None else ast.unparse(node.type)
        raises = any(isinstance(each, ast.Raise) for each in ast.walk(node))
        says = node.name is not None or any(
            isinstance(each, ast.Call) for each in ast.walk(node)
        )
        if (caught in {"", "BaseException"} and not raises) or (
            caught == "Exception" and not raises and not says
        ):
            silent.append((name, node.lineno))

    assert silent == []
