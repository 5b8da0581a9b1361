"""What a class defines, without what Python itself derives from it."""

import dataclasses
import enum
import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

NOT_BEHAVIOUR = {
    "__abstractmethods__",
    "__annotate__",
    "__annotate_func__",
    "__annotations__",
    "__annotations_cache__",
    "__classcell__",
    "__dataclass_params__",
    "__dict__",
    "__doc__",
    "__firstlineno__",
    "__match_args__",
    "__module__",
    "__orig_bases__",
    "__parameters__",
    "__qualname__",
    "__static_attributes__",
    "__type_params__",
    "__weakref__",
    "_abc_impl",
}


def class_body(of: type) -> list[tuple[str, object]]:
    """Return the attributes and methods that a class body sets, by name.

    Examples:
        >>> class Mean:
        ...     '''Not part of it.'''
        ...
        ...     scale = 2
        >>> class_body(Mean)
        [('scale', 2)]
    """
    body = _enum_body(of) if issubclass(of, enum.Enum) else _plain_body(of)
    return sorted(body, key=lambda each: each[0])


def _enum_body(of: type[enum.Enum]) -> Iterator[tuple[str, object]]:
    for name, member in of.__members__.items():
        yield f"member {name}", member.value
    for name, held in vars(of).items():
        if isinstance(held, FunctionType) and held.__module__ == of.__module__:
            yield name, held


def _plain_body(of: type) -> Iterator[tuple[str, object]]:
    for name, held in vars(of).items():
        if name in NOT_BEHAVIOUR or inspect.ismemberdescriptor(held):
            continue
        if name == "__dataclass_fields__":
            for key, field in held.items():
                yield f"field {key}", _settings(field)
        elif not (dataclasses.is_dataclass(of) and _is_generated(held)):
            yield name, held


def _settings(field: "dataclasses.Field[Any]") -> list[object]:
    given = (field.default, field.default_factory)
    defaults = [[] if each is dataclasses.MISSING else [each] for each in given]
    return [*defaults, field.init, field.compare, field.hash, field.kw_only]


def _is_generated(held: object) -> bool:
    """Say whether the dataclass decorator wrote a method, from the fields alone."""
    # The generated `__repr__` hides behind a wrapper of the standard library.
    method = getattr(held, "__wrapped__", held)
    code: CodeType | None = getattr(method, "__code__", None)
    written = code is not None and code.co_filename == "<string>"
    return written or getattr(method, "__module__", None) == dataclasses.__name__
