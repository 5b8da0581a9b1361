"""What may be asked of the rows of a table, as SQL: all of it in one scan."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from dagster_dfsession.errors import ProfileError
from dagster_dfsession.plan.quoting import quoted_identifier, quoted_literal
from dagster_dfsession.profile.base import Frozen

EXAMPLES = 5


class _Check(Frozen, frozen=True):
    """What every check has.

    Attributes:
        name: Of the check. None: what it is and on which columns.
        severity: Of a failure, `warn` or `error`.
        blocking: Whether a failure keeps what is downstream from running.
    """

    name: str | None = None
    severity: Literal["warn", "error"] = "error"
    blocking: bool = False


class NotNull(_Check, frozen=True, kw_only=True, tag_field="check", tag="not_null"):
    """A column has no NULL."""

    column: str


class Unique(_Check, frozen=True, kw_only=True, tag_field="check", tag="unique"):
    """No two rows share a key; as in SQL, a key with a NULL in it equals no other."""

    column: str | None = None
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.column is None) == (not self.columns):
            raise ProfileError("the check 'unique' takes a `column`, or `columns`")

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the key."""
        return self.columns if self.column is None else (self.column,)


class AcceptedValues(
    _Check, frozen=True, kw_only=True, tag_field="check", tag="accepted_values"
):
    """A column has these values, or NULL."""

    column: str
    values: Annotated[tuple[str | int | float | bool, ...], Meta(min_length=1)]


class Relationships(
    _Check, frozen=True, kw_only=True, tag_field="check", tag="relationships"
):
    """What a column has, or NULL, is in a column of another table.

    Attributes:
        column: Of this table.
        to: The other one, by its name in SQL.
        field: Its column.
    """

    column: str
    to: str
    field: str


class Expression(
    _Check, frozen=True, kw_only=True, tag_field="check", tag="expression"
):
    """A condition holds; a row breaks it where it is false, not where it is NULL."""

    sql: str


class RowCount(_Check, frozen=True, kw_only=True, tag_field="check", tag="row_count"):
    """The table has at least `min` and at most `max` rows."""

    min: Annotated[int, Meta(ge=0)] = 0
    max: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max is not None and self.max < self.min:
            raise ProfileError(
                f"the check 'row_count' has a `max` of {self.max}, less than its `min` "
                f"of {self.min}"
            )


class Freshness(_Check, frozen=True, kw_only=True, tag_field="check", tag="freshness"):
    """The maximum of a column of times is at most so many hours ago."""

    column: str
    hours: Annotated[float, Meta(gt=0)]


Check: TypeAlias = (
    NotNull
    | Unique
    | AcceptedValues
    | Relationships
    | Expression
    | RowCount
    | Freshness
)


class Probe(msgspec.Struct, frozen=True):
    """A check as SQL over the rows `t` of its table.

    Attributes:
        failing: An aggregate: rows that break it, or 0 and 1.
        what: Begins the sentence on a failure.
        told: An aggregate that the sentence ends with; empty: none.
        join: What has to stand beside `t`.
        examples: A query of rows that break it, after WITH; empty: no row does.
    """

    failing: str
    what: str
    told: str = ""
    join: str = ""
    examples: str = ""


def checks_query(table: str, probes: Sequence[Probe]) -> str:
    """Return a query of one row that answers all checks of a table.

    It reads the table once, and once each other table that `relationships` names.

    Examples:
        >>> print(
        ...     checks_query("raw.orders", [probe(NotNull(column="id"), "raw.orders")])
        ... )
        SELECT count(*) AS rows_checked,
          count(*) FILTER (WHERE t."id" IS NULL) AS failing_0
        FROM raw.orders AS t
    """
    asked = [f"{each.failing} AS failing_{at}" for at, each in enumerate(probes)]
    asked += [f"{p.told} AS told_{at}" for at, p in enumerate(probes) if p.told]
    joins = dict.fromkeys(each.join for each in probes if each.join)
    lines = ["SELECT " + ",\n  ".join(["count(*) AS rows_checked", *asked])]
    return "\n".join([*lines, f"FROM {table} AS t", *joins])


def probe(check: Check, table: str) -> Probe:
    """Return a check as SQL.

    Args:
        check: It.
        table: Its table, as SQL spells it.
    """
    match check:
        case Unique():
            return _unique(check, table)
        case RowCount():
            least = f"count(*) >= {check.min}"
            most = "" if check.max is None else f" AND count(*) <= {check.max}"
            bounds = f"at least {check.min}"
            if check.max is not None:
                bounds = f"{check.min} to {check.max}"
            return Probe(
                failing=f"CASE WHEN {least}{most} THEN 0 ELSE 1 END",
                what=f"the table should have {bounds} rows, and has",
                told="CAST(count(*) AS VARCHAR)",
            )
        case Freshness():
            newest = f"max(t.{quoted_identifier(check.column)})"
            seconds = round(check.hours * 3600)
            return Probe(
                failing=f"CASE WHEN {newest} >= now() - INTERVAL '{seconds} seconds' "
                "THEN 0 ELSE 1 END",
                what=f"the newest {check.column} should be at most {check.hours:g} "
                "hours ago, and is",
                told=f"coalesce(CAST({newest} AS VARCHAR), 'none at all')",
            )
    broken, join, what = _broken(check)
    return Probe(
        failing=f"count(*) FILTER (WHERE {broken})",
        what=what,
        join=join,
        examples=f"SELECT t.* FROM {table} AS t {join} WHERE {broken} LIMIT {EXAMPLES}",  # noqa: S608  # names are quoted, conditions are the author's
    )


def _broken(check: Check) -> tuple[str, str, str]:
    """Return when a row breaks a check, what has to stand beside it, and a word."""
    match check:
        case NotNull():
            return (
                f"t.{quoted_identifier(check.column)} IS NULL",
                "",
                f"{check.column} is NULL",
            )
        case AcceptedValues():
            values = ", ".join(map(_literal, check.values))
            column = f"t.{quoted_identifier(check.column)}"
            return (
                f"{column} NOT IN ({values})",
                "",
                f"{check.column} is none of {values}",
            )
        case Relationships():
            column, field = (
                quoted_identifier(check.column),
                quoted_identifier(check.field),
            )
            other = quoted_identifier(f"{check.to}.{check.field} of {check.column}")
            join = (
                f"LEFT JOIN (SELECT DISTINCT {field} AS found FROM {check.to}) "  # noqa: S608  # as above
                f"AS {other} ON t.{column} = {other}.found"
            )
            what = f"{check.column} is not in {check.to}.{check.field}"
            return f"t.{column} IS NOT NULL AND {other}.found IS NULL", join, what
        case Expression():
            return f"NOT ({check.sql}\n)", "", f"not {check.sql}"
    raise TypeError(f"{type(check).__name__} is no check of single rows")


def _unique(check: Unique, table: str) -> Probe:
    columns = [f"t.{quoted_identifier(each)}" for each in check.key]
    key = columns[0] if len(columns) == 1 else f"struct({', '.join(columns)})"
    whole = " AND ".join(f"{each} IS NOT NULL" for each in columns)
    listed = ", ".join(columns)
    return Probe(
        failing=f"count(*) FILTER (WHERE {whole}) "
        f"- count(DISTINCT {key}) FILTER (WHERE {whole})",
        what=f"{', '.join(check.key)} is that of another row",
        examples=f"SELECT {listed}, count(*) AS rows_alike FROM {table} AS t "  # noqa: S608  # names are quoted
        f"WHERE {whole} GROUP BY {listed} HAVING count(*) > 1 LIMIT {EXAMPLES}",
    )


def _literal(value: str | float | bool) -> str:  # noqa: FBT001  # a value of any kind
    return quoted_literal(value) if isinstance(value, str) else str(value)
