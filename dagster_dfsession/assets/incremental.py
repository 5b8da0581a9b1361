"""Queries that read what their table does not have yet."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import msgspec

from dagster_dfsession.assets.model import Incremental
from dagster_dfsession.errors import DeltaError, QueryError, TableNotFoundError
from dagster_dfsession.metadata.keys import FULL_REFRESH_TAG
from dagster_dfsession.plan.quoting import quoted_identifier
from dagster_dfsession.session.catalog import TableName
from dagster_dfsession.session.sql_text import tokens

WATERMARK = "watermark"


class Watermark(msgspec.Struct, frozen=True):
    """What `$watermark` stands for: the maximum of a column of the asset's own table.

    Attributes:
        column: It.
        table: The table, as SQL spells it.
        start: The value while the table has no rows.
    """

    column: str
    table: str
    start: Any = None

    def value(self, session: Any) -> Any:
        """Return the maximum at the version that the run reads, or the start.

        Raises:
            QueryError: The table has no such column.
        """
        column = quoted_identifier(self.column)
        query = f"SELECT max({column}) AS newest FROM {self.table}"  # noqa: S608  # names, quoted
        try:
            with session.stream(query) as result:
                newest = result.to_table().column("newest")[0]
        except TableNotFoundError:
            return self.start
        return newest if newest.is_valid else self.start


def watermark_of(
    incremental: Incremental, table: TableName, sql: str, asset: str
) -> Watermark:
    """Return what an incremental query binds.

    Raises:
        QueryError: It does not ask for the watermark, or returns nothing as long as
            that is NULL.

    Examples:
        >>> watermark_of(
        ...     Incremental(watermark="at", start=0),
        ...     ("raw", "t"),
        ...     "SELECT $watermark",
        ...     "raw/t",
        ... ).table
        '"raw"."t"'
    """
    words = [each.value.lower() for each in tokens(sql)]
    asked = f"${WATERMARK}"
    if asked not in words:
        raise QueryError(
            f"asset {asset!r} is incremental, and its query does not name {asked}; "
            f"write WHERE {incremental.watermark} > {asked}"
        )
    if incremental.start is None and not any(
        words[at + 1 : at + 3] == ["is", "null"]
        or words[max(0, at - 2) : at] == ["coalesce", "("]
        for at, word in enumerate(words)
        if word == asked
    ):
        raise QueryError(
            f"asset {asset!r} is incremental without a start, so that {asked} is NULL "
            "on the first run, and its query returns nothing then. Give it a `start`, "
            f"or write WHERE {asked} IS NULL OR {incremental.watermark} > {asked}"
        )
    return Watermark(
        column=incremental.watermark,
        table=".".join(map(quoted_identifier, table)),
        start=incremental.start,
    )


def parse_incremental(
    stated: Mapping[str, Any], asset: str, mode: str | None
) -> Incremental:
    """Read how an asset is incremental.

    Raises:
        DeltaError: It has no meaning, or the mode would not keep the rows there are.
    """
    if mode not in ("append", "merge"):
        raise DeltaError(
            f"asset {asset!r} is incremental, and its mode is {mode!r}, which would "
            "not keep the rows that are there; the mode is one of append, merge"
        )
    try:
        return msgspec.convert(dict(stated), Incremental)
    except msgspec.ValidationError as error:
        raise DeltaError(
            f"asset {asset!r}, incremental: {error}; it has `watermark`, a column, and "
            "`start`, a value"
        ) from None


def reads_all(context: dg.AssetExecutionContext) -> bool:
    """Return whether the run has the tag `dfsession/full_refresh`."""
    return context.run.tags.get(FULL_REFRESH_TAG) == "true"
