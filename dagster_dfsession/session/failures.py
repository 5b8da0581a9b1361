"""From the engine's error texts to this package's errors: the one place for it."""

import contextlib
import difflib
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType

import msgspec

from dagster_dfsession.delta.failures import explained, quotes_store
from dagster_dfsession.errors import (
    ColumnNotFoundError,
    DfSessionError,
    Place,
    QueryError,
    SqlPolicyError,
    TableNotFoundError,
    nearest,
)
from dagster_dfsession.profile.catalog import CatalogProfile
from dagster_dfsession.profile.sql import SQL_POLICIES
from dagster_dfsession.session.failure_rules import RULES
from dagster_dfsession.session.sql_text import excerpt, place_at, places_of, tokens
from dagster_dfsession.session.system import (
    SYSTEM_SCHEMA,
    system_table_not_found,
)

POLICY = re.compile(r"(DDL|DML|Statement) not supported: ([^\n]+)")
TABLE = re.compile(r"table '([^']+)' not found")
COLUMN = re.compile(
    r"Schema error: (No field named ([^\n]+?)\.)"
    r"(?: Did you mean '([^\n]+?)'\?)?(?=\n|$)"
)
FIELDS = re.compile(r"\nValid fields are ([^\n]+)\.")
FUNCTION = re.compile(r"(?:Invalid function|table function) '(?P<name>[^']+)'")
SYNTAX = re.compile(
    r"(?:Parser|Tokenizer)Error\(\"(.+?)(?: at Line: (\d+), Column: (\d+)\.?)?\"\)",
    re.DOTALL,
)
STORAGE = re.compile(
    r"Object Store error|Parquet error|Parquet argument error|IO error"
)
FIELD = re.compile(r'(?:"(?:[^"]|"")*"|[^,"\s])+')
WRAPPING = re.compile(
    r"(?:(?:DataFusion|SQL|Schema|Arrow|Execution|External) error: "
    r"|Error during planning: |Optimizer rule '\w+' failed\ncaused by\n"
    r"|\w+\ncaused by\n)+"
)
"""What the engine says of its own parts, before what it has to say."""
FILE = re.compile(r"\.(?:csv|parquet|json|ndjson|avro|arrow)(?:\.\w+)?$")
FLAGS: Mapping[str, str] = MappingProxyType(
    {"ddl": "allow_ddl", "dml": "allow_dml", "statement": "allow_statements"}
)
HOME = (CatalogProfile().default_catalog, CatalogProfile().default_schema)
_PANIC = "PanicException"
_ALIKE = 0.8
"""Among some five hundred functions, one is always a little like what was written."""
REASON_CHARS = 800
"""Room for the engine's own words; signatures of functions and tracebacks are long."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The query that failed, and what it could have named.

    Attributes:
        query: Its text; None: it is not known.
        tables: Asked for the tables there are, once one was not found.
        system: Likewise for those of the schema `dfsession`.
        functions: Likewise for function -> its kind: scalar, aggregate, window.
        home: The default catalog and schema, which asset keys do not spell.
    """

    query: str | None = None
    tables: Callable[[], Collection[str]] = tuple
    system: Callable[[], Collection[str]] = tuple
    functions: Callable[[], Mapping[str, str]] = dict
    home: tuple[str, str] = HOME


UNKNOWN = Asked()


@contextlib.contextmanager
def engine_errors(doing: str, asked: Asked = UNKNOWN) -> Iterator[None]:
    """Turn what the engine raises in the block into a `QueryError` of our tree.

    Args:
        doing: What was going on, for the message: `"planning 'SELECT ...'"`.
        asked: What is known of the query.

    Raises:
        QueryError: Or the class of it that fits the engine's text. Errors of this
            package pass through as they are.
    """
    try:
        yield
    except DfSessionError:
        raise
    except BaseException as error:
        # The engine panics over files that are none: with a class nobody exports.
        if not isinstance(error, Exception) and type(error).__name__ != _PANIC:
            raise
        told = query_error(str(error), doing, asked)
        if quotes_store(str(error)):  # which may show what it was opened with
            raise told from None
        raise told from error


def query_error(text: str, doing: str, asked: Asked = UNKNOWN) -> QueryError:
    """Return the error that an engine text stands for, with the facts in it."""
    for mapped in (_policy, _syntax, _table, _column, _function, _storage, _by_rule):
        if error := mapped(text, doing, asked):
            return error
    return QueryError(f"{doing}: {shortened(explained(text), REASON_CHARS)}")


def shortened(query: str, chars: int = 200) -> str:
    """Return a query on one line, cut to what a message has room for."""
    line = " ".join(query.split())
    return line if len(line) <= chars else f"{line[: chars - 1]}…"


def _policy(text: str, doing: str, asked: Asked) -> QueryError | None:
    if (found := POLICY.search(text)) is None:
        return None
    family, statement = found[1].lower(), shortened(found[2])
    first, *more = (
        name for name in SQL_POLICIES if getattr(SQL_POLICIES[name], FLAGS[family])
    )
    named = "statements" if family == "statement" else family.upper()
    others = "".join(f", or {name}" for name in more)
    runs = " The profile's prepared statements run by prepared(name, ...)."
    error = SqlPolicyError(
        f"{doing}: the SQL policy forbids {named} ({statement}). Sessions are "
        "read-only by default; a profile may say "
        f"sql: {{policy: {{preset: {first}}}}}{others}."
        f"{runs if statement == 'Execute' else ''}"
    )
    error.name, error.family = statement, family
    return _noted(error, asked, _first_place(asked))


def _syntax(text: str, doing: str, asked: Asked) -> QueryError | None:
    if (found := SYNTAX.search(text)) is None:
        return None
    said, line, column = found.groups()
    places: tuple[Place, ...] = ()
    if line is not None:
        places = (Place(int(line), int(column)),)
    elif asked.query is not None and said.endswith("EOF"):
        places = (place_at(asked.query, len(asked.query.rstrip())),)
    advice = ""
    if "found: $" in said:
        advice = (
            " A parameter stands for a value, not for a name or keyword: write those "
            "into the text, from a list of your own."
        )
    elif "identifier, found: " in said and not said.endswith("EOF"):
        advice = " A keyword is a name in double quotes."
    for engine, ours in (("Expected: ", "expected "), (", found: ", ", found ")):
        said = said.replace(engine, ours)
    said = shortened(said.replace("EOF", "the end of the text"), REASON_CHARS)
    error = QueryError(f"{doing}{_at(places)}: no SQL: {said}.{advice}")
    error.kind = "syntax"
    return _noted(error, asked, places)


def _table(text: str, doing: str, asked: Asked) -> QueryError | None:
    del doing
    if (found := TABLE.search(text)) is None:
        return None
    name = _at_home(found[1], asked.home)
    error = table_not_found(name, asked)
    if FILE.search(name):
        error.args = (f"{error} Files are tables where sql.url_tables says so.",)
    return _noted(error, asked, _places(name, asked))


def table_not_found(name: str, asked: Asked) -> TableNotFoundError:
    """Return the error for a name that is no table, with the names that are."""
    if name.startswith(f"{SYSTEM_SCHEMA}."):
        return system_table_not_found(shortened(name), asked.system())
    known = [shortened(each, 50) for each in asked.tables()]
    return TableNotFoundError.named(shortened(name), known)


def _column(text: str, doing: str, asked: Asked) -> QueryError | None:
    if (found := COLUMN.search(text)) is None:
        return None
    said, name, meant = found.groups()
    valid = FIELDS.search(text)
    fields = list(dict.fromkeys(FIELD.findall(valid[1] if valid else "")))
    meant = meant or nearest(name, fields)
    places = _places(name, asked)
    hint = f" Did you mean {meant!r}?" if meant else ""
    there = f" Valid fields are {', '.join(fields)}." if fields else ""
    reason = f"{said}{hint}{there}"
    error = ColumnNotFoundError(
        f"{doing}{_at(places)}: {shortened(reason, REASON_CHARS)}"
    )
    error.name, error.suggestion = name, meant
    owners = {each.rpartition(".")[0] for each in fields}
    error.table = name.rpartition(".")[0] or (owners.pop() if len(owners) == 1 else "")
    error.table = error.table or None
    return _noted(error, asked, places)


def _function(text: str, doing: str, asked: Asked) -> QueryError | None:
    if (found := FUNCTION.search(text)) is None:
        return None
    name, known = found["name"], asked.functions()
    places, suggestion = _places(name, asked), None
    if known.get(name) == "window":
        reason = f"{name!r} is a window function: write {name}(...) OVER (...)."
    else:
        close = difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE)
        suggestion = close[0] if close else None
        hint = f" Did you mean {suggestion!r}?" if suggestion else ""
        reason = (
            f"function {shortened(name, 80)!r} was not found.{hint} SHOW FUNCTIONS "
            "lists all; one of your own is declared in a module that the profile "
            "names (functions.modules)."
        )
    error = QueryError(f"{doing}{_at(places)}: {reason}")
    error.kind, error.name, error.suggestion = "function", name, suggestion
    return _noted(error, asked, places)


def _storage(text: str, doing: str, asked: Asked) -> QueryError | None:
    del asked
    if STORAGE.search(text) is None:
        return None
    error = QueryError(f"{doing}: {shortened(explained(text), REASON_CHARS)}")
    error.kind = "storage"
    return error


def _by_rule(text: str, doing: str, asked: Asked) -> QueryError | None:
    for rule in RULES:
        found = rule.pattern.search(text)
        if found is None:
            continue
        said = {
            name: shortened(_plain(value), REASON_CHARS).rstrip(".")
            for name, value in found.groupdict("").items()
        }
        name = said.get("name") or None
        places = _places(name, asked) if name else ()
        sentence = f"{rule.says} {rule.advice}".rstrip().format(**said)
        error = rule.error(f"{doing}{_at(places)}: {sentence}")
        error.kind, error.name = rule.kind, name
        return _noted(error, asked, places)
    return None


def _plain(said: str) -> str:
    forms = " or ".join(line.strip() for line in said.split("\n\t"))
    return WRAPPING.sub("", forms)


def _places(name: str, asked: Asked) -> tuple[Place, ...]:
    return () if asked.query is None else places_of(name, asked.query)


def _first_place(asked: Asked) -> tuple[Place, ...]:
    if asked.query is None:
        return ()
    return tuple(place_at(asked.query, t.start) for t in tokens(asked.query))[:1]


def _at(places: tuple[Place, ...]) -> str:
    return f", line {places[0].line}, column {places[0].column}" if places else ""


def _noted(error: QueryError, asked: Asked, places: tuple[Place, ...]) -> QueryError:
    """Return the error with its places, and below it the line they are in."""
    error.places = places
    if places and asked.query is not None and sys.version_info >= (3, 11):
        error.add_note(excerpt(asked.query, places[0]))
    return error


def _at_home(table: str, home: tuple[str, str]) -> str:
    """Return `raw.flights` for `lake.raw.flights`, as asset keys are written."""
    catalog, schema = home
    return table.removeprefix(f"{catalog}.").removeprefix(f"{schema}.")
