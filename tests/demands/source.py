"""The package as syntax: what rules of structure look at."""

import ast
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

PACKAGE = Path(__file__).parents[2] / "dagster_dfsession"


@functools.cache
def modules() -> Mapping[str, ast.Module]:
    """Return module -> its syntax: `session.factory`, `session`, `errors`."""
    return MappingProxyType(
        {
            ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(
                ".__init__"
            ): ast.parse(path.read_text(encoding="utf-8"))
            for path in sorted(PACKAGE.rglob("*.py"))
        }
    )


@functools.cache
def everything() -> tuple[tuple[str, ast.AST], ...]:
    """Return module and node, for every node that there is."""
    return tuple(
        (name, node) for name, tree in modules().items() for node in ast.walk(tree)
    )


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """Yield module and node, of these kinds."""
    return ((name, node) for name, node in everything() if isinstance(node, kinds))


@functools.cache
def calls() -> tuple[tuple[str, ast.Call, str], ...]:
    """Return module, call, and what is called as it is written."""
    return tuple(
        (name, node, ast.unparse(node.func))
        for name, node in nodes(ast.Call)
        if isinstance(node, ast.Call)
    )


@functools.cache
def functions() -> tuple[tuple[str, ast.FunctionDef], ...]:
    """Return module and function, methods and nested ones too."""
    found = nodes(ast.FunctionDef)
    return tuple((name, n) for name, n in found if isinstance(n, ast.FunctionDef))


@functools.cache
def classes() -> tuple[tuple[str, ast.ClassDef], ...]:
    """Return module and class."""
    found = nodes(ast.ClassDef)
    return tuple((name, n) for name, n in found if isinstance(n, ast.ClassDef))


def body(node: ast.FunctionDef | ast.ClassDef | ast.Module) -> list[ast.stmt]:
    """Return what is below the docstring."""
    return node.body[1:] if ast.get_docstring(node) is not None else node.body


def imported(tree: ast.AST) -> Iterator[tuple[str, ast.Import | ast.ImportFrom]]:
    """Yield the name of every module that is imported anywhere in a tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module or "", node
        elif isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
