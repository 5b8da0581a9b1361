"""What is demanded, and which tests say that they hold it."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import tomli

REGISTRY = Path(__file__).with_name("demands.toml")
TESTS = Path(__file__).parents[1]
MARK = "pytest.mark.demand"


def number(demand: str) -> int:
    """Return what demands are sorted by.

    Examples:
        >>> sorted(["D10", "D9"], key=number)
        ['D9', 'D10']
    """
    return int(demand.removeprefix("D"))


def demands() -> Mapping[str, str]:
    """Return demand -> wording, in the order of their numbers."""
    topics = tomli.loads(REGISTRY.read_text(encoding="utf-8")).values()
    worded = [(demand, text) for topic in topics for demand, text in topic.items()]
    return dict(sorted(worded, key=lambda each: number(each[0])))


def marked() -> Iterator[tuple[str, str]]:
    """Find demand and test of every mark, without importing a test."""
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == MARK:
                        yield ast.literal_eval(mark.args[0]), f"{path.name}:{node.name}"
