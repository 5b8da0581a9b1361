"""What the front matter of a SQL file may say."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from dagster_dfsession.assets.table_check import Check
from dagster_dfsession.errors import ProfileError
from dagster_dfsession.profile.base import Frozen
from dagster_dfsession.profile.sail import EngineName

Kept: TypeAlias = Literal["table", "view", "inline"]
Columns: TypeAlias = str | Annotated[tuple[str, ...], Meta(min_length=1)]


class Column(Frozen, frozen=True):
    """A column, for the page and for checks.

    Attributes:
        description: Markdown.
        checks: `not_null`, `unique`, or checks in full without their `column`.
    """

    description: str | None = None
    checks: tuple[Literal["not_null", "unique"] | dict[str, Any], ...] = ()


class StaticKeys(Frozen, frozen=True, tag_field="kind", tag="static"):
    """Partitions by name."""

    keys: Annotated[tuple[str, ...], Meta(min_length=1)]


class _Windows(Frozen, frozen=True):
    start: dt.date
    end: dt.date | None = None
    timezone: str = "UTC"


class Hourly(_Windows, frozen=True, tag_field="kind", tag="hourly"):
    """A partition an hour, from `start` on; `end` is the first that is none."""


class Daily(_Windows, frozen=True, tag_field="kind", tag="daily"):
    """A partition a day, likewise."""


class Weekly(_Windows, frozen=True, tag_field="kind", tag="weekly"):
    """A partition a week, likewise."""


class Monthly(_Windows, frozen=True, tag_field="kind", tag="monthly"):
    """A partition a month, likewise."""


Partitions: TypeAlias = StaticKeys | Hourly | Daily | Weekly | Monthly


class Incremental(Frozen, frozen=True):
    """How a query finds the rows that its table does not have yet.

    Attributes:
        watermark: Column of the asset's own table whose maximum is `$watermark`.
        start: What that is as long as the table has no rows. None: NULL, which the
            query then has to ask for.
    """

    watermark: str
    start: Any = None


class Snapshot(Frozen, frozen=True):
    """A table that keeps the history of what the query returns: the merge `scd2`.

    Attributes:
        key: The columns that tell things apart.
        tracked: As the merge has them: the columns whose change opens a version.
        effective: The column that says from when a row holds.
        close_missing: Whether what the query lacks ends.
    """

    key: Columns
    tracked: Columns | None = None
    effective: str | None = None
    close_missing: bool = False


class SqlModel(Frozen, frozen=True):
    """What is said of a query beside its text.

    Attributes:
        kept: `table`; `view`: an asset without a table, whose query becomes part of
            those that name it; `inline`: likewise, and no asset.
        name: Last part of the asset key. None: the file's name.
        key_prefix: The parts before it. None: the folders of the file.
        description: Markdown; None: it says what the query reads.
        owners: Emails, or `team:name`.
        tags: For Dagster.
        group: For Dagster.
        pool: For Dagster: how many steps may run at once.
        deps: Asset keys that the query does not name, as `raw/flights`.
        partitions: They, or the name of some that `load_sql_assets` was given.
        partition_expr: As the asset metadata of this name; so are `mode`,
            `schema_mode`, `merge` and `contract`.
        params: Values by name, for `$name` in the query.
        engine: What runs the query, as in `sql_asset`. None: the session's own.
        incremental: Whether the query reads what is new alone.
        snapshot: Whether the table keeps the history.
        metadata: Further metadata of the definition.
        columns: What the page says of columns, and their checks.
        checks: Of the table.
    """

    kept: Kept = "table"
    name: str | None = None
    key_prefix: Columns | None = None
    description: str | None = None
    owners: tuple[str, ...] = ()
    tags: Mapping[str, str] = {}
    group: str | None = None
    pool: str | None = None
    deps: tuple[str, ...] = ()
    partitions: str | Partitions | None = None
    partition_expr: str | dict[str, str] | None = None
    params: Mapping[str, Any] = {}
    mode: str | None = None
    schema_mode: str | None = None
    merge: dict[str, Any] | None = None
    contract: dict[str, Any] | None = None
    engine: EngineName | None = None
    incremental: Incremental | None = None
    snapshot: Snapshot | None = None
    metadata: Mapping[str, Any] = {}
    columns: Mapping[str, Column] = {}
    checks: tuple[Check, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        stated = {
            name
            for name in self.__struct_fields__
            if getattr(self, name) not in (None, (), {})
        }
        idle = stated & _IDLE.get(self.kept, frozenset())
        if idle:
            raise ProfileError(
                f"it is kept as {self.kept!r}, for which {', '.join(sorted(idle))} "
                "would mean nothing; leave that out, or keep it as 'table'"
            )
        if self.snapshot and {"mode", "merge", "incremental"} & stated:
            raise ProfileError(
                "a snapshot has no mode, merge or incremental of its own"
            )
        if self.mode == "merge" and not (self.merge or self.metadata.get("merge")):
            raise ProfileError(
                "its mode is 'merge', and nothing says which columns tell rows "
                "apart; add merge: {on: [id], kind: upsert}"
            )
        if self.incremental and self.mode not in ("append", "merge"):
            raise ProfileError(
                f"it is incremental, and its mode is {self.mode!r}, which would not "
                "keep the rows that are there; the mode is one of append, merge"
            )
        if self.incremental and self.partitions:
            raise ProfileError(
                "it is incremental and has partitions; a partition is an increment "
                "already, use $partition_start and $partition_end"
            )


_WRITTEN = frozenset(
    {
        "pool",
        "partitions",
        "partition_expr",
        "mode",
        "schema_mode",
        "merge",
        "contract",
        "engine",
        "incremental",
        "snapshot",
    }
)
_IDLE = {
    "view": _WRITTEN,
    "inline": _WRITTEN
    | {
        "description",
        "owners",
        "tags",
        "group",
        "deps",
        "columns",
        "checks",
        "metadata",
    },
}
"""How a query is kept -> what then has no meaning."""
