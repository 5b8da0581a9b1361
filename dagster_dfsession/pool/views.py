"""Views of a code location: queries that stand for assets without a table."""

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from dagster_dfsession.errors import QueryError
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.query.expansion import with_queries
from dagster_dfsession.query.named_tables import named_tables
from dagster_dfsession.session.catalog import TableName
from dagster_dfsession.session.sql_text import tokens


class View(msgspec.Struct, frozen=True):
    """A query that a name stands for.

    Attributes:
        sql: It names tables alone.
        params: Values by name, for `$name` in it.
    """

    sql: str
    params: Mapping[str, Any] = {}


class RunViews:
    """The views that queries of a run may name; asked for once, when a query comes.

    Examples:
        >>> views = RunViews(SessionProfile(name="any"))
        >>> views.announce(
        ...     lambda: {
        ...         ("mart", "late"): View("SELECT * FROM a WHERE x > $x", {"x": 1})
        ...     }
        ... )
        >>> sql, params = views.within("SELECT x FROM mart.late", {}, taken=())
        >>> print(sql, params)
        WITH "mart.late" AS (
        SELECT * FROM a WHERE x > $x
        )
        SELECT x FROM mart.late {'x': 1}
    """

    def __init__(self, profile: SessionProfile) -> None:
        """Start without views; the profile says how queries are read."""
        self._profile = profile
        self._ask: Callable[[], Mapping[TableName, View]] = dict
        self._known: Mapping[TableName, View] | None = None
        self._lock = threading.Lock()

    def announce(self, ask: Callable[[], Mapping[TableName, View]]) -> None:
        """Have the views asked for that there are, if nobody has yet."""
        self._ask = ask

    def within(
        self, query: str, params: Mapping[str, Any], *, taken: Collection[TableName]
    ) -> tuple[str, Mapping[str, Any]]:
        """Return a query with the views that it names in its WITH, and all values.

        Args:
            query: One statement.
            params: Its values by name.
            taken: Names that mean something else in it.

        Raises:
            QueryError: A view and the query give one parameter two values.
        """
        words = {each.value for each in tokens(query)}
        # What the query itself calls "mart.late" in its WITH hides that view.
        views = {
            at: view
            for at, view in self._all().items()
            if at not in taken and self._spelt(at) not in words - {at[1]}
        }
        lower = {each.lower() for each in words}
        if lower.isdisjoint(name.lower() for _, name in views):
            return query, params
        try:
            named = named_tables(query, self._profile)
        except QueryError:  # which the session tells as it plans the query
            return query, params
        found = {at: views[at] for at in sorted(named & views.keys())}
        values = dict(params)
        for at, view in found.items():
            for name, value in view.params.items():
                if values.setdefault(name, value) != value:
                    raise QueryError(
                        f"${name} is {values[name]!r}, and {value!r} in the view "
                        f"{self._spelt(at)!r}, which the query names; give one of them "
                        "another name"
                    )
        queries = {self._spelt(at): view.sql for at, view in found.items()}
        return with_queries(query, queries), values

    def _all(self) -> Mapping[TableName, View]:
        with self._lock:
            if self._known is None:
                self._known = self._ask()
            return self._known

    def _spelt(self, name: TableName) -> str:
        schema, table = name
        home = self._profile.catalog.default_schema
        return table if schema == home else f"{schema}.{table}"
