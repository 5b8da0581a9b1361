"""Which SQL a session accepts, and how it reads it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta
from msgspec.structs import force_setattr

from dagster_dfsession.profile.base import Frozen, Identifier
from dagster_dfsession.profile.named import resolved

SqlType: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z][A-Za-z0-9 _(),]*$",
        description="a SQL type: BIGINT, DECIMAL(10, 2)",
    ),
]


class SqlPolicy(Frozen, frozen=True):
    """Which statements `session.sql` accepts; queries always are."""

    allow_ddl: Annotated[
        bool, Meta(description="CREATE, DROP, ALTER and the like.")
    ] = False
    allow_dml: Annotated[bool, Meta(description="INSERT, UPDATE, DELETE, COPY.")] = (
        False
    )
    allow_statements: Annotated[
        bool, Meta(description="SET, PREPARE, EXECUTE and the like.")
    ] = False


SQL_POLICIES: Mapping[str, SqlPolicy] = MappingProxyType(
    {
        "read_only": SqlPolicy(),
        "service": SqlPolicy(allow_statements=True),
        "write": SqlPolicy(allow_dml=True, allow_statements=True),
        "admin": SqlPolicy(allow_ddl=True, allow_dml=True, allow_statements=True),
    }
)


class Prepared(Frozen, frozen=True):
    """A query planned when the session opens; `prepared(name, 1)` of it runs it."""

    name: Annotated[Identifier, Meta(description="Name for `prepared`, and EXECUTE.")]
    sql: Annotated[str, Meta(min_length=1, description="Query with $1, $2 ... in it.")]
    types: Annotated[
        tuple[SqlType, ...],
        Meta(description="SQL types of the parameters, in order."),
    ] = ()


class SqlProfile(Frozen, frozen=True):
    """The dialect and the policy.

    Attributes:
        policy: A `SqlPolicy`, or the name of one of `SQL_POLICIES`, which becomes it.
        ident_normalization: `force_off` is `off` that no `settings` entry may undo.
    """

    policy: Annotated[
        SqlPolicy | str,
        Meta(description="Statements accepted: a policy, or the name of one."),
    ] = SqlPolicy()
    dialect: Annotated[
        Literal[
            "generic",
            "mysql",
            "postgresql",
            "hive",
            "sqlite",
            "snowflake",
            "redshift",
            "mssql",
            "clickhouse",
            "bigquery",
            "ansi",
            "duckdb",
            "databricks",
        ],
        Meta(description="SQL dialect of the parser."),
    ] = "generic"
    ident_normalization: Annotated[
        Literal["off", "on", "force_off"],
        Meta(description="Fold unquoted identifiers to lower case."),
    ] = "on"
    float_as_decimal: Annotated[
        bool, Meta(description="Read literals such as 0.1 as decimal, not as float.")
    ] = False
    null_ordering: Annotated[
        Literal["nulls_max", "nulls_min", "nulls_first", "nulls_last"],
        Meta(description="Where ORDER BY puts NULL if the query does not say."),
    ] = "nulls_max"
    url_tables: Annotated[
        bool,
        Meta(description="Let queries name files ('data.csv') as tables."),
    ] = False
    prepared: Annotated[
        tuple[Prepared, ...],
        Meta(description="Statements prepared when a session opens."),
    ] = ()

    def __post_init__(self) -> None:
        force_setattr(self, "policy", resolved("SQL policy", self.policy, SQL_POLICIES))
        super().__post_init__()
