"""What a query is and names, before anything of it runs."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from dagster_dfsession.plan.build import plan_session
from dagster_dfsession.profile.session import SessionProfile
from dagster_dfsession.profile.sql import SQL_POLICIES, SqlProfile
from dagster_dfsession.query.preflight import check_sql
from dagster_dfsession.session.factory import open_session
from dagster_dfsession.session.session import Session

FILES = "{files}"
KINDS = {
    "SELECT a FROM kept": "query",
    "EXPLAIN ANALYZE SELECT a FROM kept": "query",
    "WITH x AS (SELECT a FROM kept) SELECT * FROM x": "query",
    "CREATE TABLE made AS SELECT a FROM kept": "ddl",
    "SELECT a INTO made FROM kept": "ddl",
    f"CREATE EXTERNAL TABLE made (a BIGINT) STORED AS CSV LOCATION '{FILES}/no/'": "ddl",
    "DROP TABLE kept": "ddl",
    "INSERT INTO kept VALUES (2)": "dml",
    "EXPLAIN ANALYZE INSERT INTO kept VALUES (2)": "dml",
    f"COPY (SELECT a FROM kept) TO '{FILES}/out.csv'": "dml",
    f"EXPLAIN ANALYZE COPY (SELECT a FROM kept) TO '{FILES}/out.csv'": "dml",
    "SET datafusion.execution.batch_size = 10": "statement",
    "PREPARE p AS SELECT a FROM kept": "statement",
    "EXECUTE p": "statement",
}
REFUSED = {
    "WITH x AS (INSERT INTO kept VALUES (2) RETURNING a) SELECT * FROM x": "unsupported",
    "SELECT 1; DROP TABLE kept": "syntax",
    "SELECT * FROM '{files}/rows.csv'": "table",
    "SELECT (SELECT count(*) FROM '{files}/rows.csv')": "table",
    "SELECT a FROM kept WHERE a IN (SELECT a FROM '{files}/rows.csv')": "table",
    "SELECT * FROM read_csv('{files}/rows.csv')": "function",
    "BEGIN": "unsupported",
    "VACUUM": "unsupported",
    "SELECT b FROM kept": "column",
    "SELECT $b": "parameter",
}


def session_of(policy: str) -> Iterator[Session]:
    profile = SessionProfile(name="test", sql=SqlProfile(policy=policy))
    with open_session(plan_session(profile)) as session:
        session.ctx.register_batch("kept", pa.record_batch({"a": [1]}))
        yield session


@pytest.fixture
def session() -> Iterator[Session]:
    yield from session_of("read_only")


@pytest.fixture
def admin() -> Iterator[Session]:
    yield from session_of("admin")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text("a\n1\n")
    return tmp_path


def unchanged(session: Session, files: Path) -> bool:
    size = session.sql("SHOW datafusion.execution.batch_size").to_pydict()["value"]
    return (
        session.sql("SELECT a FROM kept").to_pydict() == {"a": [1]}
        and session.table_names() == ["kept"]
        and not (files / "out.csv").exists()
        and size != ["10"]
    )


@pytest.mark.parametrize("query", KINDS)
def test_a_query_is_known_for_what_it_does_and_does_not_do_it(
    query: str, session: Session, admin: Session, files: Path
) -> None:
    asked = query.format(files=files)
    found, allowed = check_sql(session, asked), check_sql(admin, asked)

    assert found.kind == allowed.kind == KINDS[query]
    assert found.admitted is (KINDS[query] == "query")
    assert allowed.admitted
    assert unchanged(session, files)
    assert unchanged(admin, files)


@pytest.mark.parametrize("query", REFUSED)
@pytest.mark.parametrize("policy", SQL_POLICIES)
def test_what_no_policy_lets_through(query: str, policy: str, files: Path) -> None:
    for session in session_of(policy):
        found = check_sql(session, query.format(files=files))

        assert not found.admitted
        assert getattr(found.refusal, "kind", None) == REFUSED[query]
        assert unchanged(session, files)


def test_what_is_prepared_counts_too() -> None:
    for service in session_of("service"):
        found = check_sql(service, "PREPARE p AS INSERT INTO kept VALUES (2)")
        good = check_sql(
            service, "PREPARE p(BIGINT) AS SELECT a FROM kept WHERE a > $1"
        )

        assert found.kind == "statement"
        assert not found.admitted
        assert good.admitted


def test_a_query_names_its_tables_and_functions(session: Session) -> None:
    session.ctx.register_batch("other", pa.record_batch({"b": [1]}))
    found = check_sql(
        session,
        "WITH x AS (SELECT upper('sum(a)') AS u) SELECT abs(a), u FROM kept, x "
        "WHERE EXISTS (SELECT 1 FROM other WHERE b = SUM (1)) -- lower(a)",
    )

    assert found.tables == ("kept", "other")
    assert found.functions == ("abs", "sum", "upper")


def test_a_query_tells_its_columns(session: Session) -> None:
    found = check_sql(session, "SELECT a, $b AS b FROM kept", params={"b": "x"})

    assert found.columns is not None
    assert found.columns.names == ["a", "b"]
    assert check_sql(session, "DROP TABLE kept").columns is None
