"""What a user function may be called, take and promise."""

import functools
import inspect
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal, get_args

from dagster_dfsession.errors import FunctionError, listing

Volatility = Literal["immutable", "stable", "volatile"]

IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")


def checked_names(names: Sequence[str], what: str) -> tuple[str, ...]:
    """Return names that SQL finds without quotes.

    Raises:
        FunctionError: One is no lower-case SQL identifier, or is there twice.
    """
    for name in names:
        if not IDENTIFIER.fullmatch(name):
            raise FunctionError(
                f"{name!r} cannot name {what} in SQL: a name is lower-case letters, "
                f"digits and underscores, as in name={_as_identifier(name)!r}"
            )
    if len(set(names)) < len(names):
        raise FunctionError(f"{what} has the same name twice: {', '.join(names)}")
    return tuple(names)


def checked_volatility(volatility: Volatility, what: str) -> Volatility:
    """Return a volatility that the engine knows.

    Raises:
        FunctionError: It is another word.
    """
    if volatility not in get_args(Volatility):
        raise FunctionError(
            f"{what} declares volatility {volatility!r}; it is one of 'immutable' "
            "(equal arguments, equal results), 'stable' (within one query), 'volatile'"
        )
    return volatility


def definition(implementation: Any) -> Any:
    """Return the function or class that a partial, a method or an object stands for."""
    while isinstance(implementation, functools.partial):
        implementation = implementation.func
    named = hasattr(implementation, "__qualname__")
    return implementation if named else type(implementation)


def check_arguments(
    implementation: Callable[..., object], count: int, what: str
) -> None:
    """Refuse a function that cannot be called with `count` arguments.

    Raises:
        FunctionError: It takes more or fewer.
    """
    try:
        signature = inspect.signature(implementation)
    except ValueError:
        # Some functions written in C do not tell their arguments.
        return
    try:
        signature.bind(*range(count))
    except TypeError as error:
        raise FunctionError(
            f"{what}{signature} cannot be called with the {count} inputs it declares: "
            f"{error}"
        ) from error


def check_class(implementation: object, base: type) -> None:
    """Refuse a class that the engine cannot use; a function that makes one passes.

    Raises:
        FunctionError: It is not derived from `base`, or lacks a method.
    """
    if not isinstance(implementation, type):
        return
    what = f"{implementation.__module__}:{implementation.__qualname__}"
    if not issubclass(implementation, base):
        raise FunctionError(
            f"{what} is no {base.__name__}; derive it from "
            f"datafusion.user_defined.{base.__name__}"
        )
    missing: Collection[str] = getattr(implementation, "__abstractmethods__", ())
    if missing:
        raise FunctionError(
            f"{what} is no complete {base.__name__}: it lacks {listing(missing)}"
        )


def _as_identifier(name: str) -> str:
    """Return the identifier that was probably meant: `geometric_mean`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    plain = re.sub(r"\W+", "_", words).strip("_").lower()
    return plain if IDENTIFIER.fullmatch(plain) else f"f_{plain}".rstrip("_")
