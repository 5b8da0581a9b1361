"""A file with a query, and what its front matter says of it."""

import re
from pathlib import Path

import msgspec

from dagster_dfsession.assets.front_matter import FrontMatter
from dagster_dfsession.assets.model import SqlModel
from dagster_dfsession.assets.table_check import Check
from dagster_dfsession.errors import CodeLocationError, listing
from dagster_dfsession.session.sql_text import place_at, tokens

SUFFIX = ".sql"
SIDECARS = (".yaml", ".yml")
_OPENS = re.compile(r"\A\s*/\*[ \t]*---[ \t]*\r?\n")
_CLOSES = re.compile(r"^[ \t]*---[ \t]*\*/", re.MULTILINE)
_CHANGES = frozenset(
    {
        "alter",
        "copy",
        "create",
        "delete",
        "drop",
        "insert",
        "merge",
        "set",
        "truncate",
        "update",
    }
)
"""How a statement begins that is no query."""
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
    text = _text(path, shown)
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
    line = place_at(sql, first.start).line
    if first.kind == "word" and first.value.lower() in _CHANGES:
        raise CodeLocationError(
            f"{shown}:{line}: {first.value} begins no query. Give the SELECT that "
            "returns the rows of the asset; its table is made and changed as the front "
            "matter says: mode, merge, incremental"
        )
    said, above, where = front or "", 1, shown
    if beside:
        where, above = beside[0].relative_to(folder).as_posix(), 0
        said = _text(beside[0], where)
    elif front is not None:
        above = text.count("\n", 0, _start(text))
    reader = FrontMatter(said, where, above)
    model = reader.read()
    return SqlFile(
        path=path,
        shown=shown,
        model=model,
        sql=sql,
        line=line,
        checks=reader.checks(model),
    )


def _text(path: Path, shown: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors begin with a mark
    except UnicodeDecodeError as error:
        raise CodeLocationError(f"{shown} is not in UTF-8: {error}") from error
    except OSError as error:
        raise CodeLocationError(f"{shown} cannot be read: {error}") from error


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
