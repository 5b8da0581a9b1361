"""The functions that modules of a project declare, collected by import path."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType, ModuleType
from typing import Any, TypeAlias

from dagster_dfsession.errors import FunctionError, did_you_mean, listing
from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.session.functions.declare import UserFunction
from dagster_dfsession.session.functions.digest import Digest, implementation_digest
from dagster_dfsession.session.functions.foreign import ForeignFunctions
from dagster_dfsession.session.functions.value_form import field_form

Declaration: TypeAlias = UserFunction[..., Any] | ForeignFunctions


@dataclass(frozen=True)
class Library:
    """Every function that a session may be given.

    Attributes:
        functions: Name or alias -> its declaration.
        digests: Name -> what its implementation and its Arrow types are, as of
            loading.
    """

    functions: Mapping[str, Declaration] = field(default_factory=dict)
    digests: Mapping[str, Digest] = field(default_factory=dict)

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """Each declaration once, by its first name."""
        unique = {id(each): each for each in self.functions.values()}
        return tuple(sorted(unique.values(), key=lambda each: each.names[0]))


def load_library(modules: Sequence[str]) -> Library:
    """Import modules and collect the functions declared in them.

    Args:
        modules: `"package.module"` for all declarations that are attributes of it,
            written there or imported there; `"package.module:attribute"` for one.

    Returns:
        The library; the same whatever the order of the modules.

    Raises:
        FunctionError: A module is missing, fails to import or declares nothing, or two
            functions have one name.

    Examples:
        >>> load_library([]).declarations
        ()
        >>> try:
        ...     load_library(["json.tools"])
        ... except FunctionError as error:
        ...     print(str(error)[:52])
        there is no module 'json.tools' to load functions fr
    """
    collected = [each for path in modules for each in _declared_in(path)]
    functions: dict[str, Declaration] = {}
    for declaration in collected:
        for name in declaration.names:
            other = functions.setdefault(name, declaration)
            if other is not declaration:
                raise FunctionError(
                    f"two functions are called {name!r}: {other.origin} and "
                    f"{declaration.origin}; give one of them another name"
                )
    ordered = dict(sorted(functions.items()))
    digests = {n: _digest(n, each) for n, each in ordered.items()}
    return Library(MappingProxyType(ordered), MappingProxyType(digests))


def _declared_in(path: str) -> list[Declaration]:
    name, colon, attribute = path.partition(":")
    module = _imported(name)
    if not colon:
        found = [each for _, each in sorted(vars(module).items()) if _declares(each)]
        if not found:
            raise FunctionError(
                f"the module {name!r} declares no function; decorate one with "
                "scalar_udf, aggregate_udf, window_udf or table_function, or take the "
                "module out of the list"
            )
        return found
    declaration: Any = module
    for part in attribute.split("."):
        declaration = getattr(declaration, part, None)
    if not _declares(declaration):
        known = [key for key, each in vars(module).items() if _declares(each)]
        raise FunctionError(
            f"{path!r} is no declared function; {name} declares {listing(known)}."
            f"{did_you_mean(attribute, known)}"
        )
    return [declaration]


def _declares(value: object) -> bool:
    return isinstance(value, UserFunction | ForeignFunctions)


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(f"{missing}."):
            raise FunctionError(
                f"there is no module {name!r} to load functions from: {error}. Check "
                "its spelling, and that its project is installed or on PYTHONPATH"
            ) from error
        raise FunctionError(
            f"{name} was found, but its own import of {missing!r} failed: {error}. "
            f"Install what provides {missing!r}, or mend the import"
        ) from error
    except Exception as error:
        raise FunctionError(
            f"{name} was found, but importing it failed: "
            f"{type(error).__name__}: {error}"
        ) from error


def _digest(name: str, declaration: Declaration) -> Digest:
    if isinstance(declaration, ForeignFunctions):
        known_by = (declaration.distribution, declaration.version, name)
        return Digest(sha256=content_hash("compiled function", 1, known_by))
    body = implementation_digest(declaration.implementation)
    if body.sha256 is None:
        return body
    # The engine's own names of types do not tell a string from a large string.
    returns = () if declaration.returns is None else (declaration.returns,)
    types = [
        [field_form(each) for each in declaration.inputs],
        [field_form(each) for each in returns],
        [str(each) for each in declaration.state],
    ]
    return Digest(sha256=content_hash("declared function", 1, (body.sha256, types)))
