"""Values of a query: which there are, and that they stay values."""

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from datafusion import SessionContext
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from dagster_dfsession.errors import QueryError
from dagster_dfsession.profile.sql import Prepared
from dagster_dfsession.session.parameters import prepared_values
from dagster_dfsession.session.session import Session

Opened = Callable[..., Session]

UTC = dt.timezone.utc
TAKEN = {
    "null": (None, "Null"),
    "bool": (True, "Boolean"),
    "int": (2**62, "Int64"),
    "float": (1.5, "Float64"),
    "str": ("a'b; DROP TABLE x", "Utf8"),
    "bytes": (b"\0a", "Binary"),
    "decimal": (Decimal("1.50"), "Decimal128(3, 2)"),
    "date": (dt.date(2024, 1, 1), "Date32"),
    "time": (dt.time(1, 2), "Time64(µs)"),
    "naive": (dt.datetime(2024, 1, 1, 2), "Timestamp(µs)"),
    "zoned": (dt.datetime(2024, 1, 1, 2, tzinfo=UTC), 'Timestamp(µs, "UTC")'),
    "timedelta": (dt.timedelta(days=1), "Duration(µs)"),
    "list": ([1, 2], "List(Int64)"),
    "dict": ({"a": 1}, 'Struct("a": Int64)'),
}


def refusal(session: Session, params: dict[str, Any], query: str = "SELECT $v") -> str:
    with pytest.raises(QueryError) as refused:
        session.sql(query, params=params)
    assert refused.value.kind == "parameter"
    return str(refused.value)


@pytest.mark.parametrize("kind", TAKEN)
def test_a_value_arrives_as_it_was_given(kind: str, session: Session) -> None:
    value, engine_type = TAKEN[kind]
    frame = session.sql("SELECT $v AS v, arrow_typeof($v) AS t", params={"v": value})

    assert frame.to_pydict() == {"v": [value], "t": [engine_type]}


def test_a_scalar_of_arrow_keeps_its_type(session: Session) -> None:
    typed = {"v": pa.scalar(None, pa.date32()), "w": pa.scalar(1, pa.int8())}
    frame = session.sql("SELECT arrow_typeof($v) AS v, arrow_typeof($w) AS w", params=typed)  # fmt: skip

    assert frame.to_pydict() == {"v": ["Date32"], "w": ["Int8"]}


@given(st.text())
def test_no_text_gets_out_of_its_value(text: str) -> None:
    asked = SessionContext().sql("SELECT $v AS v", param_values={"v": text})
    assert asked.to_pydict() == {"v": [text]}


def test_a_list_is_searched_with_any(session: Session) -> None:
    query = "SELECT dest FROM flights WHERE dest = ANY($names)"

    assert session.sql(query, params={"names": ["IAH"]}).count() == 1
    assert session.sql(query, params={"names": ["x' OR 'a' = 'a"]}).count() == 0


def test_what_is_no_value_is_told_with_what_is(session: Session) -> None:
    assert refusal(session, {"v": range(3)}) == snapshot(
        "planning 'SELECT $v': parameter $v is range(0, 3), a range, and no value for SQL: pass None, bool, int, float, str, bytes, Decimal, date, time, datetime, timedelta, a list or dict of these, or a pyarrow scalar."
    )
    assert refusal(session, {"v": 2**64}) == snapshot(
        "planning 'SELECT $v': parameter $v is 18446744073709551616, an int that does not fit into 64 bits; pass a Decimal."
    )
    assert refusal(session, {"$v": 1}) == snapshot(
        "planning 'SELECT $v': '$v' is no name of a parameter: a query says $day, and params={'day': ...} gives its value."
    )


def test_a_value_that_was_not_given_is_missed_before_anything_runs(
    session: Session,
) -> None:
    assert refusal(session, {}) == snapshot(
        "planning 'SELECT $v', line 1, column 8: parameter $v has no value. Pass it in params."
    )
    assert "parameter $w has no value" in refusal(session, {"v": 1}, "SELECT $v, $w")
    assert session.sql("SELECT '$v' AS v").to_pydict() == {"v": ["$v"]}


def test_a_parameter_is_no_name(session: Session) -> None:
    with pytest.raises(QueryError) as refused:
        session.sql("SELECT * FROM $table", params={"table": "flights"})

    assert str(refused.value) == snapshot(
        "planning 'SELECT * FROM $table', line 1, column 15: no SQL: expected identifier, found $table. A parameter stands for a value, not for a name or keyword: write those into the text, from a list of your own."
    )
    # As a value it is the same in every row, and orders nothing.
    names = session.sql("SELECT $c AS c FROM flights", params={"c": "dest"})
    assert names.to_pydict() == {"c": ["dest"]}


TYPED: dict[str, tuple[pa.DataType, list[Any], list[Any]]] = {
    "BIGINT": (
        pa.int64(),
        [1, None],
        [1.5, "1", True, Decimal(1), dt.date(2024, 1, 1)],
    ),
    "DOUBLE": (pa.float64(), [1, 1.5], ["1", True]),
    "VARCHAR": (pa.string_view(), ["a"], [1, b"a"]),
    "BOOLEAN": (pa.bool_(), [True], [1, "true"]),
    "DATE": (pa.date32(), [dt.date(2024, 1, 1)], [1, dt.datetime(2024, 1, 1)]),
    "TIMESTAMP": (
        pa.timestamp("ns"),
        [dt.datetime(2024, 1, 1)],
        [dt.datetime(2024, 1, 1, tzinfo=UTC), dt.date(2024, 1, 1), 1],
    ),
    "DECIMAL(5, 2)": (
        pa.decimal128(5, 2),
        [Decimal("1.5"), 1],
        [1.5, Decimal("1.555")],
    ),
    "SMALLINT": (pa.int16(), [1], [40_000]),
    "BYTEA": (pa.binary(), [b"a"], ["a", uuid.UUID(int=1)]),
}


@pytest.mark.parametrize("name", TYPED)
def test_a_prepared_statement_takes_values_of_its_types_alone(name: str) -> None:
    engine_type, fits, misfits = TYPED[name]
    prepared = Prepared(name="one", sql="SELECT $1", types=(name,))

    for value in fits:
        made = prepared_values(prepared, [engine_type], [value])
        assert made["1"].type == engine_type
        assert made["1"].as_py() == value
    for value in misfits:
        with pytest.raises(QueryError, match=r"parameter \$1 is .* declares"):
            prepared_values(prepared, [engine_type], [value])


def test_how_many_values_a_statement_takes_is_told() -> None:
    prepared = Prepared(name="one", sql="SELECT $1", types=("BIGINT",))

    with pytest.raises(QueryError) as refused:
        prepared_values(prepared, [pa.int64()], [1, 2])
    assert str(refused.value) == snapshot(
        "running the prepared statement 'one': it takes 1 values (BIGINT), and 2 were given."
    )
