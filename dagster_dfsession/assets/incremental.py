"""Queries that read what their table does not have yet."""

from collections.abc import Collection, Mapping
from typing import Any

import dagster as dg
import msgspec

from dagster_dfsession.assets.model import Incremental
from dagster_dfsession.errors import (
    DeltaError,
    QueryError,
    did_you_mean,
    listing,
)
from dagster_dfsession.metadata.keys import FULL_REFRESH_TAG
from dagster_dfsession.pool.watermark import note_watermark, read_watermark
from dagster_dfsession.resources import DataFusionSessionResource
from dagster_dfsession.session.catalog import TableName
from dagster_dfsession.session.sql_text import tokens

WATERMARK = "watermark"


class Watermark(msgspec.Struct, frozen=True):
    """What `$watermark` stands for: the maximum of a column of the asset's own table.

    Attributes:
        column: It.
        table: Schema and name of the table.
        start: The value while the table has no rows.
        asset: Its name, for messages.
        mode: How the rows are written.
    """

    column: str
    table: TableName
    start: Any
    asset: str
    mode: str

    def value(self, session: DataFusionSessionResource, *, everything: bool) -> Any:
        """Return the maximum at the version that the run reads, or the start.

        Args:
            session: Of the step.
            everything: Begin at the start, wherever the table has come.

        Raises:
            QueryError: The table has no such column, or it tells nothing of the rows
                that are there.
        """
        if everything:
            note_watermark(self.table, session.run, session.lease)
            return self.start
        newest = read_watermark(self.column, self.table, session.run, session.lease)
        if newest.value is None and newest.rows and self.mode == "append":
            raise QueryError(
                f"asset {self.asset!r} is incremental, its table has {newest.rows} "
                f"rows, and {self.column!r} is NULL in each: to begin at the start "
                "again would append them once more. Give them a value, or launch a "
                f"run with the tag {FULL_REFRESH_TAG}=true"
            )
        return self.start if newest.value is None else newest.value

    def check_made(self, columns: Collection[str]) -> None:
        """Refuse rows that would not say how far the table has come.

        Raises:
            QueryError: The column is not among theirs.
        """
        if self.column not in columns:
            raise QueryError(
                f"asset {self.asset!r} is incremental by {self.column!r}, and its "
                f"query returns {listing(columns)}."
                f"{did_you_mean(self.column, columns)} Select that column too: its "
                "maximum is where the next run begins"
            )


def watermark_of(
    incremental: Incremental, table: TableName, sql: str, asset: str, mode: str
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
        ...     "append",
        ... ).column
        'at'
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
        table=table,
        start=incremental.start,
        asset=asset,
        mode=mode,
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
