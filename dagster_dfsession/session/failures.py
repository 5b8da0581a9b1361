"""From the engine's error texts to this package's errors: the one place for it."""

import contextlib
import re
from collections.abc import Callable, Collection, Iterator

from dagster_dfsession.delta.failures import explained, quotes_store
from dagster_dfsession.errors import (
    ColumnNotFoundError,
    DfSessionError,
    FunctionFailedError,
    MemoryLimitError,
    QueryError,
    SqlPolicyError,
    TableNotFoundError,
)
from dagster_dfsession.profile.catalog import CatalogProfile

POLICY = re.compile(r"(?:DDL|DML|Statement) not supported: (\S+)")
TABLE = re.compile(r"table '([^']+)' not found")
COLUMN = re.compile(r"Schema error: (No field named .+)", re.DOTALL)
FUNCTION = re.compile(r"(user function '[^']+' raised .+?)(?:\\n|$|\")", re.DOTALL)
MEMORY = re.compile(r"Resources exhausted: (.+)", re.DOTALL)
HOME = (CatalogProfile().default_catalog, CatalogProfile().default_schema)
REASON_CHARS = 800
"""Room for the engine's own words; signatures of functions and tracebacks are long."""


@contextlib.contextmanager
def engine_errors(
    doing: str,
    *,
    known_tables: Callable[[], Collection[str]] = tuple,
    home: tuple[str, str] = HOME,
) -> Iterator[None]:
    """Turn what the engine raises in the block into a `QueryError` of our tree.

    Args:
        doing: What was going on, for the message: `"planning 'SELECT ...'"`.
        known_tables: Asked for the tables there are, once one was not found.
        home: The default catalog and schema, which asset keys do not spell.

    Raises:
        QueryError: Or the class of it that fits the engine's text. Errors of this
            package pass through as they are.
    """
    try:
        yield
    except DfSessionError:
        raise
    except Exception as error:
        told = query_error(str(error), doing, known_tables, home)
        if quotes_store(str(error)):  # which may show what it was opened with
            raise told from None
        raise told from error


def query_error(
    text: str,
    doing: str,
    known_tables: Callable[[], Collection[str]] = tuple,
    home: tuple[str, str] = HOME,
) -> QueryError:
    """Return the error that an engine text stands for."""
    if found := POLICY.search(text):
        return SqlPolicyError(
            f"{doing}: the SQL policy forbids {found[1]!r}. Sessions are read-only by "
            "default; a profile may say sql: {policy: {preset: write}}, or service, "
            "or admin."
        )
    if found := TABLE.search(text):
        known = [shortened(name, 50) for name in known_tables()]
        return TableNotFoundError.named(_at_home(found[1], home), known)
    if found := COLUMN.search(text):
        return ColumnNotFoundError(f"{doing}: {shortened(found[1], REASON_CHARS)}")
    if found := FUNCTION.search(text):
        return FunctionFailedError(f"{doing}: {shortened(found[1], REASON_CHARS)}")
    if found := MEMORY.search(text):
        return MemoryLimitError(
            f"{doing}: more memory was needed than the session may use: "
            f"{shortened(found[1], REASON_CHARS)} Raise runtime.memory_pool, lower "
            "execution.target_partitions, or let the query spill (runtime.spill)."
        )
    return QueryError(f"{doing}: {shortened(explained(text), REASON_CHARS)}")


def shortened(query: str, chars: int = 200) -> str:
    """Return a query on one line, cut to what a message has room for."""
    line = " ".join(query.split())
    return line if len(line) <= chars else f"{line[: chars - 1]}…"


def _at_home(table: str, home: tuple[str, str]) -> str:
    """Return `raw.flights` for `lake.raw.flights`, as asset keys are written."""
    catalog, schema = home
    here = table.removeprefix(f"{catalog}.")
    return shortened(here.removeprefix(f"{schema}."))
