"""Declarations: what a user function is called, takes, gives and promises.

A decorator registers nothing. It returns a frozen declaration that can be called as
the function was; `load_library` collects declarations from modules by their path.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import pyarrow as pa
from datafusion.user_defined import Accumulator, WindowEvaluator
from typing_extensions import ParamSpec

from dagster_dfsession.session.functions.registry import Kind
from dagster_dfsession.session.functions.requirements import (
    Volatility,
    check_arguments,
    check_class,
    checked_names,
    checked_volatility,
    definition,
)

P = ParamSpec("P")
R = TypeVar("R")

Type: TypeAlias = "pa.DataType | pa.Field[Any]"


@dataclass(frozen=True)
class UserFunction(Generic[P, R]):
    """A function of this project, ready to be registered in a session.

    Calling it calls the implementation, so it can be tested without an engine.

    Attributes:
        name: In SQL.
        kind: What it is to the engine.
        implementation: The function, or what makes accumulators or evaluators.
        inputs: Arrow types of the arguments; empty for a table function.
        returns: Arrow type of the result; None for a table function.
        state: Arrow types that an aggregate carries between partitions.
        volatility: What the engine may assume of two calls with equal arguments.
        aliases: Further names in SQL.
        shadows_builtin: It may replace a function of the engine.
    """

    name: str
    kind: Kind
    implementation: Callable[P, R]
    inputs: "tuple[pa.Field[Any], ...]"
    returns: "pa.Field[Any] | None"
    state: tuple[pa.DataType, ...]
    volatility: Volatility
    aliases: tuple[str, ...] = ()
    shadows_builtin: bool = False

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the implementation."""
        return self.implementation(*args, **kwargs)

    @property
    def __wrapped__(self) -> Callable[P, R]:
        """The implementation, under the name that Python's own tools look for."""
        return self.implementation

    @property
    def names(self) -> tuple[str, ...]:
        """The name and the aliases."""
        return (self.name, *self.aliases)

    @property
    def module(self) -> str:
        """Where the implementation stands."""
        return str(definition(self.implementation).__module__)

    @property
    def origin(self) -> str:
        """Module and name of the implementation: `my_project.udfs:haversine_km`."""
        return f"{self.module}:{definition(self.implementation).__qualname__}"


def scalar_udf(
    *,
    inputs: Sequence[Type],
    returns: Type,
    volatility: Volatility,
    name: str | None = None,
    aliases: Sequence[str] = (),
    shadows_builtin: bool = False,
) -> Callable[[Callable[P, R]], UserFunction[P, R]]:
    """Declare a scalar function: one Arrow array an argument in, one array out.

    Args:
        inputs: Arrow types of the arguments, in order.
        returns: Arrow type of the result, which has one value a row.
        volatility: `"immutable"`: equal arguments give equal results, always; such
            calls may be computed while planning. `"stable"`: within one query.
            `"volatile"`: never assume so.
        name: In SQL; None: the function's own name.
        aliases: Further names in SQL.
        shadows_builtin: Say so to replace a function of the engine.

    Raises:
        FunctionError: A name is no lower-case SQL identifier, or the function does
            not take as many arguments as there are inputs.

    Examples:
        >>> import pyarrow.compute as pc
        >>> @scalar_udf(
        ...     inputs=[pa.float64()], returns=pa.float64(), volatility="immutable"
        ... )
        ... def half(values):
        ...     return pc.divide(values, 2.0)
        >>> half(pa.array([3.0])).to_pylist()
        [1.5]
        >>> half.name, half.kind, half.volatility
        ('half', 'scalar', 'immutable')
    """

    def declare(implementation: Callable[P, R]) -> UserFunction[P, R]:
        declared = _declared(
            "scalar",
            implementation,
            name,
            aliases,
            volatility,
            shadows_builtin,
            inputs=inputs,
            returns=returns,
        )
        check_arguments(implementation, len(declared.inputs), declared.origin)
        return declared

    return declare


def aggregate_udf(
    *,
    inputs: Sequence[Type],
    returns: Type,
    state: Sequence[pa.DataType],
    volatility: Volatility,
    name: str | None = None,
    aliases: Sequence[str] = (),
    shadows_builtin: bool = False,
) -> Callable[[Callable[P, R]], UserFunction[P, R]]:
    """Declare an aggregate: an `Accumulator` class, or a function that makes one.

    Args:
        inputs: Arrow types of the arguments, in order.
        returns: Arrow type of the result of a group.
        state: Arrow types of what `Accumulator.state` returns.
        volatility: As for `scalar_udf`.
        name: In SQL; None: the class's or function's own name, if it is lower-case.
        aliases: Further names in SQL.
        shadows_builtin: Say so to replace a function of the engine.

    Raises:
        FunctionError: A name is no lower-case SQL identifier, or the class is no
            `Accumulator` or lacks one of its methods.
    """

    def declare(implementation: Callable[P, R]) -> UserFunction[P, R]:
        check_class(implementation, Accumulator)
        return _declared(
            "aggregate",
            implementation,
            name,
            aliases,
            volatility,
            shadows_builtin,
            inputs=inputs,
            returns=returns,
            state=state,
        )

    return declare


def window_udf(
    *,
    inputs: Sequence[Type],
    returns: Type,
    volatility: Volatility,
    name: str | None = None,
    aliases: Sequence[str] = (),
    shadows_builtin: bool = False,
) -> Callable[[Callable[P, R]], UserFunction[P, R]]:
    """Declare a window function: a `WindowEvaluator` class, or what makes one.

    Args:
        inputs: Arrow types of the arguments, in order.
        returns: Arrow type of the result of a row.
        volatility: As for `scalar_udf`.
        name: In SQL; None: the class's or function's own name, if it is lower-case.
        aliases: Further names in SQL.
        shadows_builtin: Say so to replace a function of the engine.

    Raises:
        FunctionError: A name is no lower-case SQL identifier, or the class is no
            `WindowEvaluator`.
    """

    def declare(implementation: Callable[P, R]) -> UserFunction[P, R]:
        check_class(implementation, WindowEvaluator)
        return _declared(
            "window",
            implementation,
            name,
            aliases,
            volatility,
            shadows_builtin,
            inputs=inputs,
            returns=returns,
        )

    return declare


def table_function(
    *,
    volatility: Volatility,
    name: str | None = None,
    aliases: Sequence[str] = (),
    shadows_builtin: bool = False,
) -> Callable[[Callable[P, R]], UserFunction[P, R]]:
    """Declare a table function: expressions in, a table out, as in `FROM days(7)`.

    Args:
        volatility: As for `scalar_udf`. The engine does not ask it of a table
            function; it is for the record, and decides what counts as reproducible.
        name: In SQL; None: the function's own name.
        aliases: Further names in SQL.
        shadows_builtin: Say so to replace a function of the engine.

    Raises:
        FunctionError: A name is no lower-case SQL identifier.
    """

    def declare(implementation: Callable[P, R]) -> UserFunction[P, R]:
        return _declared(
            "table", implementation, name, aliases, volatility, shadows_builtin
        )

    return declare


def _declared(  # noqa: PLR0917 - what every decorator hands on
    kind: Kind,
    implementation: Callable[P, R],
    name: str | None,
    aliases: Sequence[str],
    volatility: Volatility,
    shadows_builtin: bool,  # noqa: FBT001 - as above
    *,
    inputs: Sequence[Type] = (),
    returns: "Type | None" = None,
    state: Sequence[pa.DataType] = (),
) -> UserFunction[P, R]:
    defined = definition(implementation)
    what = f"{defined.__module__}:{defined.__qualname__}"
    names = checked_names((name or defined.__name__, *aliases), what)
    return UserFunction(
        name=names[0],
        kind=kind,
        implementation=implementation,
        inputs=tuple(_field(each, f"value_{at}") for at, each in enumerate(inputs)),
        returns=None if returns is None else _field(returns, "value"),
        state=tuple(state),
        volatility=checked_volatility(volatility, what),
        aliases=names[1:],
        shadows_builtin=shadows_builtin,
    )


def _field(given: Type, name: str) -> "pa.Field[Any]":
    return given if isinstance(given, pa.Field) else pa.field(name, given)
