"""What a function does, as a hash: the same body the same hash, wherever it stands."""

import builtins
import dataclasses
import enum
import functools
import sys
from abc import ABCMeta
from collections.abc import Callable
from types import FunctionType, MethodType, ModuleType
from typing import Any

from dagster_dfsession.plan.hashing import content_hash
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.session.functions.class_body import class_body
from dagster_dfsession.session.functions.normal_form import (
    Form,
    Reference,
    code_form,
    references,
)
from dagster_dfsession.session.functions.owners import Project, Stdlib, owner_of
from dagster_dfsession.session.functions.value_form import value_form

_CACHED = type(functools.lru_cache(len))

VERSION = 1
OUT_OF_SIGHT = {"__import__", "eval", "exec", "globals"}


class Digest(Frozen, frozen=True):
    """The hash of an implementation, or why there is none.

    Attributes:
        sha256: 64 hex digits; None: it cannot be told whether two are the same, so
            two digests without one are never to be taken for equal.
        reason: What stood in the way; None if nothing did.
    """

    sha256: str | None = None
    reason: str | None = None


def implementation_digest(implementation: Callable[..., object]) -> Digest:
    """Return the digest of a function or a class, of all that decides what it does.

    In it: the code (from its source, without comments, docstrings, annotations and
    decorators; from its bytecode where there is no source), defaults, closure, and
    what it takes from its module: constants, and the functions and classes of the
    project, at any depth. Other distributions count by name and version, the standard
    library not at all. Not in it: where it stands and what it is called.

    Globals are read as they are now; one that is changed later is not seen.

    Returns:
        A digest; without a hash where something cannot be compared by content, such as
        an open file or a lock. Two such functions are never taken for the same.

    Examples:
        >>> def double(x):
        ...     return x * 2
        >>> def twice(x):
        ...     "The same under another name."
        ...     return x * 2
        >>> implementation_digest(double) == implementation_digest(twice)
        True
        >>> implementation_digest(functools.partial(double, object())).reason
        'an argument of it is a object, which cannot be compared by content'
    """
    walk = _Walk(home=_home(implementation))
    try:
        form = walk.form(implementation, "it")
    except _OpaqueError as found:
        return Digest(reason=str(found))
    except RecursionError:
        return Digest(reason="it holds values nested too deeply to be compared")
    return Digest(sha256=content_hash("function", VERSION, form))


class _OpaqueError(Exception):
    """Something has no content to compare."""


class _Walk:
    """One walk from an implementation through all it reaches."""

    def __init__(self, home: str) -> None:
        self.home = home
        # The object is kept beside its number: a freed one would lend out its id.
        self.seen: dict[int, tuple[int, object]] = {}

    def form(self, value: Any, where: str) -> Form:
        """Return the form of anything, or raise `_OpaqueError` that says where."""
        if (form := self._value(value, where)) is not None:
            return form
        if (form := self._code(value, where)) is not None:
            return form
        if (form := self._named_elsewhere(value)) is not None:
            return form
        if callable(value) and hasattr(value, "__wrapped__"):
            inner = self.form(value.__wrapped__, where)
            if isinstance(value, _CACHED):
                return ["wrapped", type(value).__qualname__, inner]
            state = {k: v for k, v in vars(value).items() if k != "__wrapped__"}
            kept = self._pairs(state, "attribute", type(value).__qualname__)
            return ["wrapped", self.form(type(value), where), kept, inner]
        if dataclasses.is_dataclass(value):
            held = [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
            fields = [[name, self.form(v, f"{where}.{name}")] for name, v in held]
            return ["instance", self.form(type(value), where), fields]
        raise _OpaqueError(
            f"{where} is a {type(value).__name__}, which cannot be compared by content"
        )

    def _value(self, value: object, where: str) -> Form | None:
        return value_form(
            value,
            part=lambda each, which: self.form(each, f"{which} of {where}"),
            apart=lambda each, which: _Walk(self.home).form(
                each, f"{which} of {where}"
            ),
        )

    def _code(self, value: Any, where: str) -> Form | None:
        form: Form | None = None
        match value:
            case FunctionType() | type():
                form = self._definition(value)
            case ModuleType():
                form = self._module(value, where)
            case MethodType():
                bound = self.form(value.__self__, f"the object bound to {where}")
                form = ["method", self.form(value.__func__, where), bound]
            case staticmethod() | classmethod():
                form = [type(value).__name__, self.form(value.__func__, where)]
            case property():
                parts = (value.fget, value.fset, value.fdel)
                form = ["property", [self.form(each, where) for each in parts]]
            case functools.cached_property():
                form = ["cached", self.form(value.func, where)]
            case functools.partial():
                given = [self.form(v, f"an argument of {where}") for v in value.args]
                named = self._pairs(value.keywords, "keyword", where)
                form = ["partial", self.form(value.func, where), given, named]
            case enum.Enum():
                form = ["member", self.form(type(value), where), value.name]
        return form

    def _pairs(self, held: dict[str, Any], what: str, where: str) -> Form:
        return [
            [key, self.form(value, f"{what} {key!r} of {where}")]
            for key, value in sorted(held.items())
        ]

    def _module(self, value: ModuleType, where: str) -> Form:
        if self._is_ours(value.__name__):
            raise _OpaqueError(
                f"{where} is the module {value.__name__}, used as a value: it cannot "
                "be told what is taken from it"
            )
        return ["module", _owner(value.__name__)]

    def _definition(self, value: FunctionType | type) -> Form:
        if id(value) in self.seen:
            return ["seen", self.seen[id(value)][0]]
        if (form := self._named_elsewhere(value)) is not None:
            return form
        self.seen[id(value)] = (len(self.seen), value)
        if isinstance(value, FunctionType):
            return self._function(value)
        return self._class(value)

    def _named_elsewhere(self, value: object) -> Form | None:
        """Return the form of what another distribution gives a lasting name."""
        module = getattr(value, "__module__", None)
        if module is None and callable(value):
            # Methods of built-in types, such as str.upper, name no module.
            module = type(getattr(value, "__self__", None)).__module__
        name = getattr(value, "__qualname__", getattr(value, "__name__", None))
        if not (isinstance(module, str) and isinstance(name, str)):
            return None
        if self._is_ours(module):
            return None
        found: object = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        return ["named", _owner(module), module, name] if found is value else None

    def _function(self, value: FunctionType) -> Form:
        name = f"{value.__module__}:{value.__qualname__}"
        attributes = {k: v for k, v in vars(value).items() if k != "__wrapped__"}
        return [
            "function",
            code_form(value.__code__, value.__doc__, value.__globals__),
            [self.form(v, f"a default of {name}") for v in value.__defaults__ or ()],
            self._pairs(value.__kwdefaults__ or {}, "default", name),
            self._pairs(_closure(value, name), "closure variable", name),
            [self._reference(each, value, name) for each in references(value.__code__)],
            self._pairs(attributes, "attribute", name),
        ]

    def _reference(self, made: Reference, function: FunctionType, name: str) -> Form:
        path = made.path
        if made.imported:
            if path[0].startswith(".") or self._is_ours(path[0]):
                raise _OpaqueError(
                    f"{name} imports {path[0]!r} inside its body, where it cannot be "
                    "followed; import it at the top of the module"
                )
            return [path, _owner(path[0])]
        if path[0] not in function.__globals__:
            if path[0] in OUT_OF_SIGHT:
                raise _OpaqueError(f"{name} uses {path[0]}, whose reach cannot be told")
            return [path[:1], hasattr(builtins, path[0])]
        value, taken = function.__globals__[path[0]], 1
        while isinstance(value, ModuleType) and self._is_ours(value.__name__):
            if taken == len(path) or not hasattr(value, path[taken]):
                break
            value, taken = getattr(value, path[taken]), taken + 1
        spelt = ".".join(path[:taken])
        return [path[:taken], self.form(value, f"global {spelt!r} of {name}")]

    def _class(self, value: type) -> Form:
        name = f"{value.__module__}:{value.__qualname__}"
        shared = type(value) in (type, ABCMeta, enum.EnumMeta)
        return [
            "class",
            [self.form(base, f"a base of {name}") for base in value.__bases__],
            None if shared else self.form(type(value), f"the metaclass of {name}"),
            self._pairs(dict(class_body(value)), "attribute", name),
        ]

    def _is_ours(self, module: str) -> bool:
        owner = owner_of(module)
        if module.partition(".")[0] == self.home:
            return not isinstance(owner, Stdlib)
        return isinstance(owner, Project)


def _owner(module: str) -> Form:
    owner = owner_of(module)
    return [type(owner).__name__, owner]


def _closure(function: FunctionType, name: str) -> dict[str, object]:
    held: dict[str, object] = {}
    cells = function.__closure__ or ()
    for variable, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            held[variable] = cell.cell_contents
        except ValueError:
            raise _OpaqueError(
                f"closure variable {variable!r} of {name} is not assigned yet"
            ) from None
    return held


def _home(implementation: Any) -> str:
    """Return the top-level package of a function, a class, a method or a partial."""
    while isinstance(implementation, functools.partial):
        implementation = implementation.func
    module = getattr(implementation, "__module__", None)
    return str(module or type(implementation).__module__).partition(".")[0]
