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


def nodes(*kinds: type[ast.AST], below: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Yield module and node, of these kinds, in the modules whose name begins so."""
    for name, tree in modules().items():
        if name.startswith(below):
            yield from ((name, n) for n in ast.walk(tree) if isinstance(n, kinds))


def calls(below: str = "") -> Iterator[tuple[str, ast.Call, str]]:
    """Yield module, call, and what is called as it is written."""
    for name, node in nodes(ast.Call, below=below):
        assert isinstance(node, ast.Call)
        yield name, node, ast.unparse(node.func)


def functions(below: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield module and function, methods and nested ones too."""
    for name, node in nodes(ast.FunctionDef, below=below):
        assert isinstance(node, ast.FunctionDef)
        yield name, node


def classes(below: str = "") -> Iterator[tuple[str, ast.ClassDef]]:
    """Yield module and class."""
    for name, node in nodes(ast.ClassDef, below=below):
        assert isinstance(node, ast.ClassDef)
        yield name, node


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
