"""A profile describes, a plan decides, and nobody else looks into either."""

import ast
import functools
import itertools
from typing import Literal, get_args

import msgspec
import pytest

from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.profile.base import Frozen, declared_types
from dagster_dfsession.profile.fields import bare, choices_of, leaf_fields
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.profile.sql import SqlProfile
from tests.demands.source import body, calls, classes, functions, modules, nodes

# What is built from a profile, and therefore has a plan.
BUILT = ("session", "pool", "query", "materialization", "replay", "resources", "io_managers")  # fmt: skip


def structs_of(declared: object) -> list[type[msgspec.Struct]]:
    found = [each for each in choices_of(declared) if isinstance(each, type)]
    return [each for each in found if issubclass(each, msgspec.Struct)]


@functools.cache
def below(struct: type[msgspec.Struct]) -> set[type[msgspec.Struct]]:
    """Return a struct and all that its fields may hold."""
    found = {struct}
    for declared in declared_types(struct).values():
        inner = [declared, *itertools.chain(*map(get_args, choices_of(declared)))]
        for each in itertools.chain(*map(structs_of, inner)):
            found |= below(each)
    return found


@pytest.mark.demand("D7")
@pytest.mark.demand("D9")
@pytest.mark.demand("D10")
def test_a_profile_has_fields_and_properties_and_no_other_methods() -> None:
    methods = {
        (each.name, method.name)
        for name, each in classes()
        if name.startswith("profile.")
        for method in body(each)
        if isinstance(method, ast.FunctionDef) and method.name != "__post_init__"
        if [ast.unparse(d) for d in method.decorator_list] != ["property"]
    }

    assert methods == set()
    assert all(each.__struct_config__.frozen for each in below(SessionProfile))
    assert len(below(SessionProfile)) > 20


@pytest.mark.demand("D45")
@pytest.mark.demand("D44")
def test_what_is_built_from_a_plan_reads_no_part_of_the_profile() -> None:
    reading = {
        (name, ast.unparse(node))
        for name, node in nodes(ast.Attribute)
        if name.startswith(BUILT)
        and isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "profile"
    }

    assert reading == set()


@pytest.mark.demand("D58")
def test_nothing_that_is_built_takes_a_plan_that_may_be_none() -> None:
    guarded = {
        (name, each.name, given.arg)
        for name, each in functions()
        if name.startswith(("session", "pool", "query", "materialization"))
        for given in [*each.args.args, *each.args.kwonlyargs]
        if given.annotation is not None
        if {"None", "SessionPlan"} <= {*ast.unparse(given.annotation).split(" | ")}
        or {"None", "SessionProfile"} <= {*ast.unparse(given.annotation).split(" | ")}
    }

    assert guarded == set()


@pytest.mark.demand("D46")
def test_every_part_of_a_profile_has_a_module_of_its_own() -> None:
    fields = declared_types(SessionProfile).values()
    parts = {struct for declared in fields for struct in structs_of(declared)}
    homes = [struct.__module__ for struct in parts]

    assert len(parts) > 10
    assert sorted({*homes}) == sorted(homes)
    assert "dagster_dfsession.profile.presets" not in homes


@pytest.mark.demand("D46")
def test_hooks_and_data_are_taken_in_where_their_modules_are() -> None:
    loading = {name for name, each in functions() if each.name == "load_hooks"}
    presets = {
        name for name, tree in modules().items()
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "PRESETS"
    }  # fmt: skip

    assert loading == {"session.hooks"}
    assert presets == {"profile.presets"}


@pytest.mark.demand("D52")
def test_data_becomes_a_table_in_one_function() -> None:
    registering = {
        name
        for name, _, called in calls()
        if name.startswith(("pool", "lake_session", "resources", "io_managers", "materialization", "steps"))
        and called.endswith(("catalog.add", "register_record_batches", "register_table", "register_batch"))
    }  # fmt: skip

    assert registering == {"pool.registering"}


@pytest.mark.demand("D57")
def test_no_field_stands_beside_its_own_name() -> None:
    doubled = {
        (struct.__name__, field)
        for struct in below(SessionProfile)
        for field in struct.__struct_fields__
        if {f"{field}_name", f"{field}_preset", f"{field}_kind"}
        & {*struct.__struct_fields__}
    }

    assert doubled == set()


@pytest.mark.demand("D59")
def test_normalization_is_one_field_of_three_values() -> None:
    fields = declared_types(SqlProfile)
    normalizing = [name for name in fields if "norm" in name]

    assert normalizing == ["ident_normalization"]
    assert bare(fields["ident_normalization"]) == Literal["off", "on", "force_off"]


@pytest.mark.demand("D69")
def test_every_field_has_a_reader() -> None:
    read = {
        node.attr if isinstance(node, ast.Attribute) else node.value
        for name, node in nodes(ast.Attribute, ast.Constant)
        if not name.startswith("profile.") and name != "plan.build"
        if isinstance(node, ast.Attribute | ast.Constant)
    }
    paths = [leaf.path for leaf in leaf_fields(SessionProfile)]

    assert paths
    assert [p for p in paths if not {p, p.rpartition(".")[2]} & read] == []


@pytest.mark.demand("D1")
def test_settings_are_made_in_one_place_and_never_by_the_name_of_a_method() -> None:
    named = {
        called.rpartition(".")[2]
        for name, _, called in calls()
        if name.startswith("session.phases.")
        and called.rpartition(".")[2].startswith("with_")
    }
    setting = {
        name
        for name, call, called in calls()
        if name.startswith("session.")
        and called == "config.set"
        and len(call.args) == len(["key", "value"])
    }
    by_name = [
        (name, ast.unparse(call))
        for name, call, called in calls()
        if name.startswith("session.phases.")
        and (called.startswith("getattr(") or called in {"getattr", "hasattr"})
    ]

    assert named == {
        "with_create_default_catalog_and_schema",
        "with_default_catalog_and_schema",
        "with_information_schema",
    }
    assert setting == {"session.phases.context"}
    assert by_name == []


@pytest.mark.demand("D4")
@pytest.mark.demand("D30")
def test_sessions_are_made_by_one_function() -> None:
    makers = {name for name, _, called in calls() if called == "Session"}
    running = {name for name, _, called in calls() if called == "run_phases"}
    runtimes = {name for name, _, called in calls() if called == "build_runtime_env"}

    assert makers == running == {"session.factory"}
    assert runtimes == {"session.phases.context"}


@pytest.mark.demand("D48")
def test_a_plan_holds_parts_and_no_copies_of_their_fields() -> None:
    fields = {*SessionPlan.__struct_fields__}
    leaves = {leaf.path.rpartition(".")[2] for leaf in leaf_fields(SessionProfile) if "." in leaf.path}  # fmt: skip

    assert fields & leaves == {"memory_pool", "spill", "plans"}
    assert issubclass(SessionProfile, Frozen)
