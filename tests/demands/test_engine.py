"""How the package meets the engine: by protocols, by trial, and at one place each."""

import ast
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

import datafusion
import pytest

from dagster_dfsession.session.ports import PORTS
from tests.demands.source import nodes

# Protocols of DataFusion that are no ports -> the reason.
ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "AggregateUDFExportable": "functions come in by modules of functions",
        "ArrowArrayExportable": "rows, taken by `register`",
        "ArrowStreamExportable": "rows, taken by `register`",
        "CatalogProviderListExportable": "the catalog of a session is its own",
        "ScalarUDFExportable": "functions come in by modules of functions",
        "SchemaProviderExportable": "a schema comes in with its catalog",
        "TableProviderFactoryExportable": "CREATE EXTERNAL TABLE is not for assets",
        "WindowUDFExportable": "functions come in by modules of functions",
    }
)
ORDERED = (ast.Gt, ast.GtE, ast.Lt, ast.LtE)


@pytest.mark.demand("D35")
def test_every_protocol_of_the_engine_is_a_port_or_is_known_to_be_none() -> None:
    names = {
        name
        for module in pkgutil.iter_modules(datafusion.__path__)
        if not module.name.startswith("_") and module.name != "__main__"
        for name in vars(importlib.import_module(f"datafusion.{module.name}"))
        if name.endswith("Exportable") or name in {"ExprPlanner", "RelationPlanner"}
    }

    assert names - {*PORTS} - {*ELSEWHERE} == set()
    assert {*ELSEWHERE} <= names
    assert {*ELSEWHERE} & {*PORTS} == set()


@pytest.mark.demand("D2")
def test_no_engine_is_newer_or_older_than_a_number() -> None:
    of_engines = {"engine_major", "engine_versions", "installed", "major"}
    compared = [
        (name, ast.unparse(node))
        for name, node in nodes(ast.Compare)
        if isinstance(node, ast.Compare)
        and any(isinstance(each, ORDERED) for each in node.ops)
        and of_engines & {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    ]

    assert compared == []


@pytest.mark.demand("D31")
def test_settings_are_read_back_at_one_place() -> None:
    reading = {
        name
        for name, node in nodes(ast.Constant)
        if isinstance(node, ast.Constant)
        and "FROM information_schema.df_settings" in str(node.value)
    }

    assert reading == {"session.engine_settings"}
