"""Which tables a query names: the engine is asked, before there are any tables."""

import functools
import threading
from collections.abc import Collection, Iterable, Iterator

from dagster_dfsession.errors import QueryError
from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.cache import CACHE_PRESETS
from dagster_dfsession.profile.catalog import CatalogProfile
from dagster_dfsession.profile.named import resolved
from dagster_dfsession.profile.runtime import NoSpill, RuntimeProfile
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.profile.sql import SqlProfile
from dagster_dfsession.query.plan_cache import plan_cache
from dagster_dfsession.session.catalog import TableName
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.sql_text import tokens
from dagster_dfsession.session.versions import installed

_PARSER = "datafusion.sql_parser."
_SYNTAX = "syntax"


def named_tables(query: str, profile: SessionProfile) -> frozenset[TableName]:
    """Return the tables that a query names, wherever in it; no table needs to be there.

    Names that the query itself gives, with WITH or AS, are none of them, nor are the
    tables of the session itself.

    Args:
        query: One statement.
        profile: Of the session that it is for: dialect and default names count.

    Raises:
        QueryError: It is no statement that the engine can read.
        SessionError: The profile keeps plans in a directory that cannot be used.

    Examples:
        >>> profile = SessionProfile(name="any")
        >>> query = "WITH late AS (SELECT * FROM raw.flights) SELECT * FROM late, days"
        >>> sorted(named_tables(query, profile))
        [('public', 'days'), ('raw', 'flights')]
    """
    sql = SqlProfile(
        dialect=profile.sql.dialect, ident_normalization=profile.sql.ident_normalization
    )
    parser = (each for each in profile.settings.items() if each[0].startswith(_PARSER))
    way = (profile.catalog, sql, tuple(sorted(parser)))
    kept = plan_cache(resolved("cache preset", profile.cache, CACHE_PRESETS).plans)
    if kept is None:
        return _reader(*way).read(query)
    by = (installed("datafusion"), installed("dagster-dfsession"))
    return kept.tables(query, (way, by), lambda: _reader(*way).read(query))


class _Reader:
    """A session without tables that notes which ones it is asked for."""

    def __init__(self, profile: SessionProfile) -> None:
        self._asked: set[TableName] = set()
        self._one_at_a_time = threading.Lock()
        self._session = open_session(plan_session(profile), source=self, label="names")

    def read(self, query: str) -> frozenset[TableName]:
        with self._one_at_a_time:
            self._asked.clear()
            try:
                # Nothing is suggested for a name: no table is there, on purpose.
                self._session.planned(query, known_tables=tuple)
            except QueryError as error:
                # Anything else is for the session to say that has tables and functions.
                if error.kind == _SYNTAX:
                    raise
            return frozenset(self._asked) - set(_called(self._asked, query))

    def open(self, name: TableName) -> None:
        self._asked.add(name)

    def names(self) -> Collection[TableName]:
        return ()


def _called(names: Iterable[TableName], query: str) -> Iterator[TableName]:
    """Yield those that the query calls: the engine takes functions for tables too."""
    words = [each.value for each in tokens(query)]
    after = list(zip(words, [*words[1:], ""], strict=True))
    for name in names:
        following = {nxt for word, nxt in after if name[1] in (word, word.lower())}
        if following == {"("}:
            yield name


@functools.lru_cache(maxsize=8)
def _reader(
    catalog: CatalogProfile, sql: SqlProfile, settings: tuple[tuple[str, str], ...]
) -> _Reader:
    """Return the session for a way of reading SQL; opening one takes a while."""
    return _Reader(
        SessionProfile(
            name="names",
            catalog=catalog,
            sql=sql,
            runtime=RuntimeProfile(spill=NoSpill()),
            settings=dict(settings),
        )
    )
