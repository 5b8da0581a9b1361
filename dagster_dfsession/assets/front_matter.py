"""The YAML in which something is said of a query, as structs; errors have its lines."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

import msgspec
import yaml

from dagster_dfsession.assets.model import Kept, SqlModel
from dagster_dfsession.assets.table_check import Check
from dagster_dfsession.errors import CodeLocationError, did_you_mean, listing
from dagster_dfsession.profile.fields import structs_at

_BOOL = "tag:yaml.org,2002:bool"
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Yaml(_BASE):  # type: ignore[misc]  # the compiled one, where there is one
    """YAML in which `on` and `no` are words, as in YAML 1.2: a merge has an `on`."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # the name is the library's
        first: [each for each in found if each[0] != _BOOL]
        for first, found in _BASE.yaml_implicit_resolvers.items()
    }


_Yaml.add_implicit_resolver(
    _BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


class _Checks(msgspec.Struct):
    checks: tuple[Check, ...]


class FrontMatter:
    """What is said of a query."""

    def __init__(self, text: str, where: str, above: int) -> None:
        """Take YAML.

        Args:
            text: It.
            where: The file that it stands in, for messages.
            above: Lines of the file above it.
        """
        self._text = text
        self._where = where
        self._above = above

    def read(self) -> SqlModel:
        """Return it as a struct.

        Raises:
            CodeLocationError: It has no meaning; the message says where.
        """
        try:
            data = yaml.load(self._text, _Yaml)  # noqa: S506  # a safe loader, in C
        except yaml.MarkedYAMLError as error:
            line = 0 if error.problem_mark is None else error.problem_mark.line
            raise self._wrong(line, f"this is no YAML: {error.problem}") from error
        if not isinstance(data, dict | None):
            raise self._wrong(0, f"expected keys and values, got {data!r}")
        for line, name in _twice(self._text):
            raise self._wrong(line, f"{name!r} is said twice")
        try:
            return msgspec.convert(data or {}, SqlModel)
        except msgspec.ValidationError as error:
            raise self._refused(str(error), SqlModel, data) from None

    def checks(self, model: SqlModel) -> tuple[Check, ...]:
        """Return all checks of a model: those of columns, then those of the table.

        Raises:
            CodeLocationError: One of a column has no meaning.
        """
        asked: list[Any] = []
        for name, column in model.columns.items():
            for each in column.checks:
                full = {"check": each} if isinstance(each, str) else each
                asked.append({"column": name, **full})
        try:
            found = msgspec.convert({"checks": asked}, _Checks).checks
        except msgspec.ValidationError as error:
            raise self._refused(str(error), _Checks, {"checks": asked}) from None
        return (*found, *model.checks)

    def _refused(
        self, text: str, struct: type[msgspec.Struct], data: Any
    ) -> CodeLocationError:
        # msgspec ends with " - at `$.a.b`", or with " - at `key` in `$.a.b`".
        reason, _, place = text.partition(" - at `")
        path = place.rstrip("`").rpartition("`")[2] or "$"
        unknown = reason.partition("unknown field `")[2].rstrip("`")
        value = reason.partition("alue '")[2].rstrip("'")
        last = path.rpartition(".")[2].partition("[")[0]
        if unknown:
            kinds = _meant(structs_at(struct, path), _at(data, path))
            known = {name for kind in kinds for name in kind.__struct_fields__}
            reason = (
                f"unknown key {unknown!r}; known: {listing(known)}."
                f"{did_you_mean(unknown, known)}"
            )
        elif value:
            known = _choices(struct, path)
            reason = (
                f"unknown {'check' if last == 'checks' else last} {value!r}; known: "
                f"{listing(known)}.{did_you_mean(value, known)}"
            )
        elif path != "$":
            reason = f"{path}: {reason}"
        # What is wrong of the whole has no path, and names its key in the text.
        named = re.findall(r"\w+", reason) if path == "$" else ()
        words = (unknown, value, last.strip("$"), *named)
        return self._wrong(_line_of(self._text, words), reason)

    def _wrong(self, line: int, reason: str) -> CodeLocationError:
        return CodeLocationError(f"{self._where}:{self._above + line + 1}: {reason}")


def _choices(struct: type[msgspec.Struct], path: str) -> set[str]:
    holder, _, name = path.rpartition(".")
    if name == "kept":
        return set(get_args(Kept))
    if name == "severity":
        return {"warn", "error"}
    if name.startswith("checks["):  # one without more, which has no values
        return {"not_null", "unique"}
    return {str(kind.__struct_config__.tag) for kind in structs_at(struct, holder)}


def _at(data: Any, path: str) -> Any:
    """Return what stands at a path such as `$.checks[0]`; None: nobody knows."""
    for step in re.findall(r"\w+|\.\.\.", path):
        if isinstance(data, Mapping) and step in data:
            data = data[step]
        elif isinstance(data, list) and step.isdigit():
            data = data[int(step)]
        else:
            return None
    return data


def _meant(kinds: list[type[msgspec.Struct]], said: Any) -> list[type[msgspec.Struct]]:
    """Return of several structs the one that a value says it is, or all."""
    configs = {kind: kind.__struct_config__ for kind in kinds}
    tagged = [
        kind
        for kind, config in configs.items()
        if isinstance(said, Mapping) and said.get(config.tag_field) == config.tag
    ]
    return tagged if len(tagged) == 1 else kinds


def _line_of(text: str, words: Iterable[str]) -> int:
    """Return the line, from 0, of the first word that is a key or else a value."""
    nodes = list(_scalars(yaml.compose(text, _Yaml)))
    for word in filter(None, words):
        keys = [node for node, is_key in nodes if is_key and node.value == word]
        values = [node for node, _ in nodes if node.value == word]
        if found := [*keys, *values]:
            line: int = found[0].start_mark.line
            return line
    return 0


def _scalars(node: Any) -> Iterator[tuple[Any, bool]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key, True
            yield from _scalars(value)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _scalars(each)
    elif node is not None:
        yield node, False


def _twice(text: str) -> Iterator[tuple[int, str]]:
    """Yield keys that stand twice in one mapping: YAML would take the last."""

    def within(node: Any) -> Iterator[tuple[int, str]]:
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if str(key.value) in seen:
                    yield key.start_mark.line, str(key.value)
                seen.add(str(key.value))
                yield from within(value)
        elif isinstance(node, yaml.SequenceNode):
            for each in node.value:
                yield from within(each)

    return within(yaml.compose(text, _Yaml))
