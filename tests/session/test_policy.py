"""What each SQL policy lets through."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from inline_snapshot import snapshot

from dagster_dfsession.errors import DfSessionError, QueryError, SqlPolicyError
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.profile.sql import SQL_POLICIES, Prepared, SqlProfile
from dagster_dfsession.session.session import Session

Opened = Callable[..., Session]

QUERY, DDL, DML, STATEMENT = "query", "ddl", "dml", "statement"
# What a policy lets through, and what belongs to it.
ALLOWS = {
    "read_only": {QUERY},
    "service": {QUERY, STATEMENT},
    "write": {QUERY, DML, STATEMENT},
    "admin": {QUERY, DDL, DML, STATEMENT},
}
STATEMENTS = {
    "SELECT a FROM kept": QUERY,
    "VALUES (1)": QUERY,
    "EXPLAIN SELECT a FROM kept": QUERY,
    "EXPLAIN ANALYZE SELECT a FROM kept": QUERY,
    "DESCRIBE kept": QUERY,
    "SHOW TABLES": QUERY,
    "CREATE TABLE made AS SELECT 1 AS a": DDL,
    "CREATE VIEW made AS SELECT 1 AS a": DDL,
    "CREATE EXTERNAL TABLE made (a BIGINT) STORED AS CSV LOCATION '{files}/none/'": DDL,
    "DROP TABLE kept": DDL,
    "EXPLAIN CREATE TABLE made AS SELECT 1 AS a": DDL,
    "INSERT INTO kept VALUES (2)": DML,
    "EXPLAIN ANALYZE INSERT INTO kept VALUES (2)": DML,
    "COPY (SELECT 1 AS a) TO '{files}/copied.parquet'": DML,
    "DELETE FROM kept": DML,
    "UPDATE kept SET a = 2": DML,
    "SET datafusion.execution.batch_size = 10": STATEMENT,
    "RESET datafusion.execution.batch_size": STATEMENT,
    "PREPARE other AS SELECT 1": STATEMENT,
    "EXECUTE one(1)": STATEMENT,
    "DEALLOCATE one": STATEMENT,
}


def session_under(policy: str, opened: Opened) -> Session:
    one = Prepared(name="one", sql="SELECT $1 AS one", types=("BIGINT",))
    session = opened(sql=SqlProfile(policy=policy, prepared=(one,)))
    session.ctx.register_batch("kept", pa.record_batch({"a": [1]}))
    return session


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("policy", SQL_POLICIES)
def test_a_policy_lets_through_what_it_says(
    policy: str, statement: str, opened: Opened, tmp_path: Path
) -> None:
    session = session_under(policy, opened)
    before = session.catalog.registered
    sql = statement.format(files=tmp_path)

    if STATEMENTS[statement] in ALLOWS[policy]:
        session.sql(sql)
        return
    with pytest.raises(SqlPolicyError, match="policy forbids"):
        session.sql(sql)
    assert session.catalog.registered == before
    assert not (tmp_path / "copied.parquet").exists()
    assert session.sql("SELECT * FROM kept").to_pydict() == {"a": [1]}


def test_every_policy_is_in_the_table() -> None:
    assert set(ALLOWS) == set(SQL_POLICIES)
    assert SessionProfile(name="x").sql.policy == SQL_POLICIES["read_only"]


def test_a_forbidden_statement_is_told_what_would_allow_it(opened: Opened) -> None:
    with pytest.raises(SqlPolicyError) as refused:
        session_under("read_only", opened).sql("DROP TABLE kept")

    assert str(refused.value) == snapshot(
        "planning 'DROP TABLE kept': the SQL policy forbids DDL (DropTable). Sessions are read-only by default; a profile may say sql: {policy: {preset: admin}}."
    )


def test_what_is_allowed_is_done(opened: Opened, tmp_path: Path) -> None:
    session = session_under("admin", opened)
    session.sql("CREATE TABLE made AS SELECT 1 AS a")

    assert session.sql("INSERT INTO made VALUES (2)").to_pydict() == {"count": [1]}
    assert session.sql("SELECT sum(a) AS a FROM made").to_pydict() == {"a": [3]}
    session.sql(f"COPY made TO '{tmp_path}/made.parquet'").collect()
    session.sql("DROP TABLE made")

    assert (tmp_path / "made.parquet").exists()
    assert "made" not in session.table_names()


@pytest.mark.parametrize("policy", SQL_POLICIES)
def test_two_statements_at_once_are_refused(policy: str, opened: Opened) -> None:
    session = session_under(policy, opened)

    with pytest.raises(QueryError, match="several statements"):
        session.sql("SELECT 1; DROP TABLE kept")
    assert session.sql("SELECT a FROM kept").to_pydict() == {"a": [1]}


@pytest.mark.parametrize("value", ["x' OR '1' = '1", "$other", 1, None, 2.5, b"x"])
def test_a_parameter_is_a_value_whatever_it_looks_like(
    value: object, opened: Opened
) -> None:
    frame = opened().sql("SELECT $value AS v, $other AS o", params={"value": value, "other": 7})  # fmt: skip

    assert frame.to_pydict() == {"v": [value], "o": [7]}


def test_a_parameter_that_is_missing_is_an_error(opened: Opened) -> None:
    with pytest.raises(DfSessionError, match="value"):
        opened().sql("SELECT $value AS v", params={"other": 1})
