"""User code on its way into the engine: what it raises keeps its name and place.

The engine turns an exception into text, for some kinds of function into its `repr`.
The text made here is one line without double quotes, so it arrives as it was made.
"""

import contextlib
import dataclasses
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from dagster_dfsession.errors import FunctionFailedError


@contextlib.contextmanager
def named_failures(name: str, module: str) -> Iterator[None]:
    """Turn what user code raises in the block into a `FunctionFailedError`.

    Args:
        name: The function's name in SQL.
        module: Where it is declared; the innermost line of that package is named.

    Examples:
        >>> try:
        ...     with named_failures("ratio", "my_project.udfs"):
        ...         1 / 0
        ... except FunctionFailedError as error:
        ...     print(error)
        user function 'ratio' raised ZeroDivisionError: division by zero
    """
    try:
        yield
    except FunctionFailedError:
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {error}".replace("\\n", " ").replace('"', "'")
        said = " ".join(text.split())
        raise FunctionFailedError(
            f"user function {name!r} raised {said}{_place(error, module)}"
        ) from error


def _place(error: Exception, module: str) -> str:
    top = module.partition(".")[0]
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        found = str(frame.f_globals.get("__name__"))
        if found.partition(".")[0] == top:
            return f" ({found}, line {line})"
    return ""


@dataclasses.dataclass(frozen=True)
class GuardedScalar:
    """A scalar function as the engine calls it: arrays in, one array out."""

    name: str
    module: str
    implementation: Callable[..., Any]
    returns: pa.DataType

    def __call__(self, *columns: "pa.Array[Any]") -> "pa.Array[Any]":
        """Call it, and look at what it returned."""
        with named_failures(self.name, self.module):
            result = self.implementation(*columns)
            if not isinstance(result, pa.Array):
                raise TypeError(
                    f"it returned a {type(result).__name__}, not a pyarrow.Array"
                )
            if result.type != self.returns:
                raise TypeError(
                    f"it returned {result.type} values, but declares {self.returns}"
                )
            if columns and len(result) != len(columns[0]):
                raise ValueError(
                    f"it returned {len(result)} values for {len(columns[0])} rows"
                )
            return result


@dataclasses.dataclass(frozen=True)
class GuardedFactory:
    """What makes accumulators or evaluators, each of them guarded."""

    name: str
    module: str
    implementation: Callable[[], Any]
    expected: type

    def __call__(self) -> Any:
        """Make one, and look at what was made."""
        with named_failures(self.name, self.module):
            made = self.implementation()
            if not isinstance(made, self.expected):
                raise TypeError(
                    f"it made a {type(made).__name__}, not a {self.expected.__name__}"
                )
        return _GuardedObject(made, self.name, self.module)


@dataclasses.dataclass(frozen=True)
class GuardedTable:
    """A table function as the engine calls it: expressions in, a table out."""

    name: str
    module: str
    implementation: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        """Call it."""
        with named_failures(self.name, self.module):
            return self.implementation(*arguments)


class _GuardedObject:
    """An accumulator or evaluator whose every method is guarded."""

    def __init__(self, inner: object, name: str, module: str) -> None:
        self._inner, self._name, self._module = inner, name, module

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._inner, attribute)
        if not callable(found):
            return found

        def guarded(*args: Any) -> Any:
            with named_failures(self._name, self._module):
                return found(*args)

        return guarded
