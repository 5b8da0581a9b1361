"""What SQL a session takes, in the engine's own form."""

from datafusion import SQLOptions

from dagster_dfsession.profile.sql import SqlPolicy


def sql_options(policy: SqlPolicy) -> SQLOptions:
    """Return DataFusion's form of a policy."""
    return (
        SQLOptions()
        .with_allow_ddl(policy.allow_ddl)
        .with_allow_dml(policy.allow_dml)
        .with_allow_statements(policy.allow_statements)
    )
