"""A file with a query, and what its front matter says of it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec
import yaml

from dagster_dfsession.assets.model import Kept, SqlModel
from dagster_dfsession.assets.table_check import Check
from dagster_dfsession.errors import CodeLocationError, did_you_mean, listing
from dagster_dfsession.profile.fields import structs_at
from dagster_dfsession.session.sql_text import place_at, tokens

T = TypeVar("T")

SUFFIX = ".sql"
SIDECARS = (".yaml", ".yml")
_OPENS = re.compile(r"\A\s*/\*[ \t]*---[ \t]*\r?\n")
_CLOSES = re.compile(r"^[ \t]*---[ \t]*\*/", re.MULTILINE)
_BOOL = "tag:yaml.org,2002:bool"
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FORM = "/* ---\ndescription: What a row is.\n--- */\nSELECT ..."


class SqlFile(msgspec.Struct, frozen=True):
    """A query as it stands in a file.

    Attributes:
        path: The file.
        shown: Its path below the folder that is loaded, for messages.
        model: What is said of the query.
        sql: The query, with empty lines for what is above it: a place in it is a place
            in the file.
        line: Of its first word.
        checks: Those of the table and of its columns.
    """

    path: Path
    shown: str
    model: SqlModel
    sql: str
    line: int
    checks: tuple[Check, ...]


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


def read_sql_file(path: Path, folder: Path) -> SqlFile:
    """Read a file, and the YAML beside it if there is one.

    Args:
        path: The file.
        folder: What its path is shown below.

    Raises:
        CodeLocationError: It has no query, or what is said of it has no meaning; the
            message says where.
    """
    shown = path.relative_to(folder).as_posix()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CodeLocationError(f"{shown} cannot be read: {error}") from error
    front, sql = _divided(text, shown)
    beside = [each for each in map(path.with_suffix, SIDECARS) if each.is_file()]
    if len(beside) + (front is not None) > 1:
        told = listing(each.name for each in beside)
        raise CodeLocationError(
            f"{shown} is described by {told}{'' if front is None else ' and by itself'}"
            "; say it in one place"
        )
    first = next(tokens(sql), None)
    if first is None:
        raise CodeLocationError(f"{shown} has no query")
    said, above, where = front or "", 1, shown
    if beside:
        where, above = beside[0].relative_to(folder).as_posix(), 0
        said = beside[0].read_text(encoding="utf-8")
    elif front is not None:
        above = text.count("\n", 0, _start(text))
    reader = _Said(said, where, above)
    model = reader.read(SqlModel)
    return SqlFile(
        path=path,
        shown=shown,
        model=model,
        sql=sql,
        line=place_at(sql, first.start).line,
        checks=reader.checks(model),
    )


def _start(text: str) -> int:
    opened = _OPENS.match(text)
    return opened.end() if opened else 0


def _divided(text: str, shown: str) -> tuple[str | None, str]:
    """Return the front matter, and the query below as many empty lines."""
    opened = _OPENS.match(text)
    if opened is None:
        if text.lstrip().startswith("---"):
            raise CodeLocationError(
                f"{shown}:1: '---' begins the file. Front matter is a comment, so that "
                f"the file stays SQL:\n{_FORM}"
            )
        return None, text
    closed = _CLOSES.search(text, opened.end())
    if closed is None:
        raise CodeLocationError(
            f"{shown}:1: the front matter has no end, a line with '--- */':\n{_FORM}"
        )
    above = "\n" * text.count("\n", 0, closed.end())
    return text[opened.end() : closed.start()], above + text[closed.end() :]


class _Said:
    """YAML as structs; what is wrong is told with its line."""

    def __init__(self, text: str, where: str, above: int) -> None:
        self._text = text
        self._where = where
        self._above = above

    def read(self, struct: type[T]) -> T:
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
            return msgspec.convert(data or {}, struct)
        except msgspec.ValidationError as error:
            raise self._refused(str(error), SqlModel) from None

    def checks(self, model: SqlModel) -> tuple[Check, ...]:
        asked: list[Any] = []
        for name, column in model.columns.items():
            for each in column.checks:
                full = {"check": each} if isinstance(each, str) else each
                asked.append({"column": name, **full})
        try:
            found = msgspec.convert({"checks": asked}, _Checks).checks
        except msgspec.ValidationError as error:
            raise self._refused(str(error), _Checks) from None
        return (*found, *model.checks)

    def _refused(self, text: str, struct: type[msgspec.Struct]) -> CodeLocationError:
        # msgspec ends with " - at `$.a.b`", or with " - at `key` in `$.a.b`".
        reason, _, place = text.partition(" - at `")
        path = place.rstrip("`").rpartition("`")[2] or "$"
        unknown = reason.partition("unknown field `")[2].rstrip("`")
        value = reason.partition("alue '")[2].rstrip("'")
        if unknown:
            kinds = structs_at(struct, path)
            known = {name for kind in kinds for name in kind.__struct_fields__}
            reason = (
                f"unknown key {unknown!r}; known: {listing(known)}."
                f"{did_you_mean(unknown, known)}"
            )
        elif value:
            known = _choices(struct, path)
            reason = (
                f"unknown {path.rpartition('.')[2]} {value!r}; known: "
                f"{listing(known)}.{did_you_mean(value, known)}"
            )
        else:
            reason = f"{path}: {reason}"
        last = path.rpartition(".")[2].partition("[")[0]
        return self._wrong(_line_of(self._text, unknown or value or last), reason)

    def _wrong(self, line: int, reason: str) -> CodeLocationError:
        return CodeLocationError(f"{self._where}:{self._above + line + 1}: {reason}")


def _choices(struct: type[msgspec.Struct], path: str) -> set[str]:
    holder, _, name = path.rpartition(".")
    if name == "kept":
        return set(get_args(Kept))
    if name == "severity":
        return {"warn", "error"}
    return {str(kind.__struct_config__.tag) for kind in structs_at(struct, holder)}


def _line_of(text: str, word: str) -> int:
    """Return the line, from 0, of a key or else a value; 0: it stands nowhere."""
    nodes = list(_scalars(yaml.compose(text, _Yaml)))
    keys = [node for node, is_key in nodes if is_key and node.value == word]
    values = [node for node, _ in nodes if node.value == word]
    return next((node.start_mark.line for node in (*keys, *values)), 0)


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
