"""Queries that fail as they run, and what a program learns of a failure."""

import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from inline_snapshot import snapshot

from dagster_dfsession.errors import Place, QueryError
from dagster_dfsession.profile.execution import ExecutionProfile
from dagster_dfsession.profile.runtime import FairPool, NoSpill, RuntimeProfile
from dagster_dfsession.session.failures import engine_errors, query_error
from dagster_dfsession.session.session import Session
from tests.session.failing import failure, told

Opened = Callable[..., Session]


def test_values_that_cannot_be_computed(session: Session) -> None:
    assert told(
        session,
        "SELECT delay / 0 FROM flights",
        "SELECT CAST(dest AS INT) FROM flights",
        "SELECT CAST(dest AS TIMESTAMP) FROM flights",
        "SELECT CAST(delay * 1000 AS TINYINT) FROM flights",
        "SELECT CAST(9999999 AS DECIMAL(4, 2))",
        "SELECT -(-9223372036854775807 - 1)",
        "SELECT make_date(2024, 13, 1)",
        "SELECT (SELECT value FROM generate_series(1, 2))",
        "SELECT $day",
    ) == snapshot(
        {
            "SELECT delay / 0 FROM flights": (
                "value",
                "computing it: a number was divided by zero. Divide by nullif(..., 0), which gives NULL.",
            ),
            "SELECT CAST(dest AS INT) FROM flights": (
                "value",
                "computing it: a value is not what the type wants: Cannot cast string 'IAH' to value of Int32 type. TRY_CAST gives NULL instead of an error.",
            ),
            "SELECT CAST(dest AS TIMESTAMP) FROM flights": (
                "value",
                "computing it: a value is not what the type wants: Error parsing timestamp from 'IAH': timestamp must contain at least 10 characters. TRY_CAST gives NULL instead of an error.",
            ),
            "SELECT CAST(delay * 1000 AS TINYINT) FROM flights": (
                "value",
                "computing it: a value is not what the type wants: Can't cast value 1000 to type Int8. TRY_CAST gives NULL instead of an error.",
            ),
            "SELECT CAST(9999999 AS DECIMAL(4, 2))": (
                "value",
                "computing it: a value does not fit its type: Invalid argument error: 9999999.00 is too large to store in a Decimal128 of precision 4. Max is 99.99. Cast to a wider type before the calculation.",
            ),
            "SELECT -(-9223372036854775807 - 1)": (
                "value",
                "computing it: a value does not fit its type: Arithmetic overflow: Overflow happened on: - -9223372036854775808. Cast to a wider type before the calculation.",
            ),
            "SELECT make_date(2024, 13, 1)": (
                "value",
                "computing it: a value does not fit its type: Month value '13' is out of range. Cast to a wider type before the calculation.",
            ),
            "SELECT (SELECT value FROM generate_series(1, 2))": (
                "value",
                "computing it: Scalar subquery returned more than one row. Aggregate in it, or LIMIT 1.",
            ),
            "SELECT $day": (
                "parameter",
                ", line 1, column 8: parameter $day has no value. Pass it in params.",
            ),
        }
    )


def test_what_the_engine_or_the_policy_does_not_do(session: Session) -> None:
    assert told(
        session,
        "SELECT * FROM flights PIVOT (sum(delay) FOR dest IN ('IAH'))",
        "SELECT CAST(1 AS NOTYPE)",
        "BEGIN",
        "DROP TABLE flights",
        "INSERT INTO flights SELECT * FROM flights",
        "SET datafusion.execution.batch_size = 1",
    ) == snapshot(
        {
            "SELECT * FROM flights PIVOT (sum(delay) FOR dest IN ('IAH'))": (
                "unsupported",
                ": the engine has no Pivot. Write the query without it.",
            ),
            "SELECT CAST(1 AS NOTYPE)": (
                "unsupported",
                ": the engine does not do this: Unsupported SQL type NOTYPE. Write the query in another way.",
            ),
            "BEGIN": (
                "unsupported",
                ": the engine does not do this: Unsupported SQL statement: BEGIN. Write the query in another way.",
            ),
            "DROP TABLE flights": (
                "policy",
                ": the SQL policy forbids DDL (DropTable). Sessions are read-only by default; a profile may say sql: {policy: {preset: admin}}.",
            ),
            "INSERT INTO flights SELECT * FROM flights": (
                "policy",
                ": the SQL policy forbids DML (Insert Into). Sessions are read-only by default; a profile may say sql: {policy: {preset: write}}, or admin.",
            ),
            "SET datafusion.execution.batch_size = 1": (
                "policy",
                ": the SQL policy forbids statements (SetVariable). Sessions are read-only by default; a profile may say sql: {policy: {preset: service}}, or write, or admin.",
            ),
        }
    )


def test_a_file_that_is_damaged(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a": range(100_000)}), path)
    session.ctx.register_parquet("rows", str(path))
    path.write_bytes(path.read_bytes()[:1000])

    error = failure(session, "SELECT sum(a) AS a FROM rows")
    assert (error.kind, str(error)) == snapshot(
        (
            "storage",
            "computing it: DataFusion error: Parquet error: Parquet error: Invalid Parquet file. Corrupt footer",
        )
    )


def test_a_panic_of_the_engine_is_an_error_as_others() -> None:
    class PanicException(BaseException):
        pass

    with pytest.raises(QueryError, match="reading x: index out of"), engine_errors("reading x"):  # fmt: skip
        raise PanicException("index out of bounds")
    with pytest.raises(KeyboardInterrupt), engine_errors("reading x"):
        raise KeyboardInterrupt


def test_memory_that_is_not_there(opened: Opened) -> None:
    session = opened(
        runtime=RuntimeProfile(memory_pool=FairPool(size="2M"), spill=NoSpill()),
        execution=ExecutionProfile(target_partitions=1),
    )

    error = failure(
        session,
        "SELECT value % 100000 AS k, array_agg(value) FROM generate_series(1, 300000) "
        "GROUP BY 1",
    )
    assert error.kind == "memory"
    assert "raise runtime.memory_pool.size" in str(error)


def test_a_failure_knows_where_it_is_and_what_it_is_about(session: Session) -> None:
    query = "SELECT delay, -- dely\n  'dely', dely\nFROM flights WHERE dely > 1"

    error = failure(session, query)
    assert error.places == (Place(2, 11), Place(3, 20))
    assert (error.line, error.column) == (2, 11)
    assert (error.name, error.table) == ("dely", "flights")
    assert error.suggestion == "flights.delay"

    table = failure(session, "SELECT 1\nFROM flihgts")
    assert (table.table, table.suggestion, table.places) == (
        "flihgts",
        "flights",
        (Place(2, 6),),
    )
    function = failure(session, "SELECT summ(delay) FROM flights")
    assert (function.name, function.suggestion, function.column) == ("summ", "sum", 8)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have no notes")
def test_the_line_in_question_is_shown_below_the_message(session: Session) -> None:
    error = failure(session, "SELECT 1,\n  summ(2)")

    assert "".join(traceback.format_exception_only(error)).endswith(
        "\n2 |   summ(2)\n  |   ^\n"
    )


def test_what_an_error_knows_survives_pickling(session: Session) -> None:
    error = failure(session, "SELECT dely FROM flights")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own

    assert vars(again) == vars(error)
    assert type(again) is type(error)
    assert str(again) == str(error)


def test_what_nobody_foresaw_is_told_whole(session: Session) -> None:
    text = "Quantum error: the cat\nis neither\n  dead nor alive"

    error = query_error(text, "computing it")
    assert (
        str(error) == "computing it: Quantum error: the cat is neither dead nor alive"
    )
    assert error.kind == "engine"
    real = failure(session, "SELECT digest('a', 'nope')")
    assert real.kind == "engine"
    assert "nope" in str(real)
