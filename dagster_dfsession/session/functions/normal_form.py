"""Code without its place: what is left without paths, lines and comments."""

import ast
import dis
import functools
import linecache
import sys
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

import msgspec

Form = Any
"""Nested lists of strings, numbers and None: what `content_hash` takes."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
WITHOUT_EFFECT = {"annotation", "ctx", "kind", "returns", "type_comment", "type_params"}
GIVEN_AS_VALUES = {"decorator_list", "defaults", "kw_defaults", "name"}


class Reference(msgspec.Struct, frozen=True, order=True):
    """A name that code takes from its module.

    Attributes:
        path: The name, then the attributes read off it: `("math", "sin")`.
        imported: The code imports the module itself, inside its body.
    """

    path: tuple[str, ...]
    imported: bool = False


def plain_form(value: object) -> Form:  # noqa: PLR0911 - one case for each type
    """Return the form of a constant as a compiler may write it; None if it is none.

    Types tell apart what Python calls equal: `1`, `1.0` and `True`.

    Examples:
        >>> plain_form(True), plain_form(1), plain_form(-0.0)
        (['bool', True], ['int', '0x1'], ['float', '-0x0.0p+0'])
        >>> plain_form(frozenset({"b", "a"})) == plain_form(frozenset({"a", "b"}))
        True
        >>> plain_form(object()) is None
        True
    """
    kind = type(value).__name__
    match value:
        case None | bool():
            return [kind, value]
        case _ if value is Ellipsis or value is NotImplemented:
            return [kind]
        case int() if type(value) is int:
            return [kind, hex(value)]
        case float() if type(value) is float:
            return [kind, value.hex()]
        case complex() if type(value) is complex:
            return [kind, value.real.hex(), value.imag.hex()]
        case str() if type(value) is str:
            return [kind, value.encode("utf-8", "surrogatepass")]
        case bytes() if type(value) is bytes:
            return [kind, value]
        case tuple() if type(value) is tuple:
            items = [plain_form(item) for item in value]
            return None if None in items else [kind, items]
        case frozenset() if type(value) is frozenset:
            items = [plain_form(item) for item in value]
            return None if None in items else [kind, in_order(items)]
    return None


def in_order(forms: list[Form]) -> list[Form]:
    """Return forms in an order that does not hang on hashes of strings."""
    return sorted(forms, key=msgspec.msgpack.encode)


def code_form(code: CodeType, doc: str | None, namespace: dict[str, Any]) -> Form:
    """Return the form of a function's code: of its source, else of its bytecode.

    Source is the same for every version of Python, but only source that still
    compiles to the very code that runs is believed.

    Args:
        code: The function's code.
        doc: The function's docstring, which is left out.
        namespace: The function's globals; they know how to load its source.
    """
    text = _source(code.co_filename, namespace)
    definition = _definitions(text).get((code.co_firstlineno, code.co_name))
    if definition is None or definition[1] != code:
        return ["bytecode", sys.implementation.cache_tag, _bytecode_form(code, doc)]
    return ["source", _tree_form(definition[0], leave_out=GIVEN_AS_VALUES)]


def references(code: CodeType) -> tuple[Reference, ...]:
    """Return what the code takes from its module, nested functions included, sorted.

    Examples:
        >>> [each.path for each in references((lambda x: math.sin(x) + x).__code__)]
        [('math', 'sin')]
    """
    return tuple(sorted({ref for each in _nested(code) for ref in _references(each)}))


def _references(code: CodeType) -> Iterator[Reference]:
    instructions = [
        each
        for each in dis.get_instructions(code)
        if each.opname not in {"CACHE", "EXTENDED_ARG"}
    ]
    for index, each in enumerate(instructions):
        if each.opname == "IMPORT_NAME":
            level = instructions[index - 2].argval
            yield Reference(("." * level + each.argval,), imported=True)
        if each.opname in LOADS:
            path = [each.argval]
            for after in instructions[index + 1 :]:
                if after.opname not in ATTRIBUTES:
                    break
                path.append(after.argval)
            yield Reference(tuple(path))


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _source(filename: str, namespace: dict[str, Any]) -> str:
    linecache.checkcache(filename)
    return "".join(linecache.getlines(filename, namespace))


@functools.lru_cache(maxsize=64)
def _definitions(text: str) -> Mapping[tuple[int, str], tuple[Definition, CodeType]]:
    """Return (line, name) -> the definition there, where no other has both."""
    try:
        tree = ast.parse(text)
        module = compile(tree, "<source>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return {}
    nodes: dict[tuple[int, str], list[Definition]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            nodes.setdefault((node.lineno, "<lambda>"), []).append(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            line = min(at.lineno for at in (node, *node.decorator_list))
            nodes.setdefault((line, node.name), []).append(node)
    codes: dict[tuple[int, str], list[CodeType]] = {}
    for code in _nested(module):
        codes.setdefault((code.co_firstlineno, code.co_name), []).append(code)
    return {
        place: (found[0], codes[place][0])
        for place, found in nodes.items()
        if len(found) == 1 and len(codes.get(place, ())) == 1
    }


def _tree_form(
    node: object, *, leave_out: frozenset[str] | set[str] = frozenset()
) -> Form:
    match node:
        case ast.Constant():
            return ["Constant", plain_form(node.value)]
        case ast.AST():
            below = leave_out & {"defaults", "kw_defaults"}
            return [
                type(node).__name__,
                [
                    [
                        name,
                        _tree_form(
                            _without_docstring(node) if name == "body" else value,
                            leave_out=below if name == "args" else frozenset(),
                        ),
                    ]
                    for name, value in ast.iter_fields(node)
                    if name not in leave_out | WITHOUT_EFFECT
                    and value not in (None, [])
                ],
            ]
        case list():
            return [_tree_form(item) for item in node]
    # What is left are identifiers, operators' numbers and the None of a `**`.
    return node


def _without_docstring(node: Any) -> object:
    body = node.body
    if isinstance(node, Definition | ast.ClassDef) and isinstance(body, list):
        match body:
            case [ast.Expr(ast.Constant(str())), *rest]:
                return rest
    return body


def _bytecode_form(code: CodeType, doc: str | None) -> Form:
    constants = list(code.co_consts)
    if doc is not None and constants and constants[0] == doc:
        constants[0] = None
    return [
        code.co_code,
        [
            _bytecode_form(each, None)
            if isinstance(each, CodeType)
            else plain_form(each)
            for each in constants
        ],
        [code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars],
        [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount],
        [code.co_flags, getattr(code, "co_exceptiontable", b"")],
    ]
