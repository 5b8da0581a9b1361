"""Values and literals mean the same in both engines, whatever they are."""

import datetime as dt
import decimal
import math
from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import example, given, settings

import dagster_dfsession as dfs
from dagster_dfsession.engines.columns import Columns
from dagster_dfsession.engines.local import LocalEngine
from dagster_dfsession.engines.sail.dialect import check_dialect
from dagster_dfsession.engines.sail.engine import SailEngine
from dagster_dfsession.errors import QueryError
from dagster_dfsession.profile.sail import SailProfile
from dagster_dfsession.profile.sql import SqlProfile
from dagster_dfsession.query.planned import Planned
from dagster_dfsession.session.session import Session

EXAMPLES = 40
SPARK = SqlProfile(float_as_decimal=True, null_ordering="nulls_min")
TEXTS = st.text(
    st.sampled_from("'\"\\`$%_-/*;\n\t\r{}n0aé\u00df\u4e16\U0001f600\u200b")
    | st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    max_size=30,
)
DECIMALS = st.builds(
    lambda digits, exponent: decimal.Decimal(digits).scaleb(exponent),
    st.integers(-(10**18), 10**18),
    st.integers(-15, 15),
)
KINDS = (
    pa.bool_(),
    pa.int8(),
    pa.int16(),
    pa.int32(),
    pa.int64(),
    pa.float32(),
    pa.float64(),
    pa.string(),
    pa.binary(),
    pa.date32(),
    pa.timestamp("us"),
    pa.timestamp("us", "UTC"),
    pa.decimal128(5, 2),
)
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.floats(width=32).map(lambda value: pa.scalar(value, pa.float32())),
    st.integers(-128, 127).map(lambda value: pa.scalar(value, pa.int8())),
    st.integers(-(2**31), 2**31 - 1).map(lambda value: pa.scalar(value, pa.int32())),
    DECIMALS,
    TEXTS,
    st.binary(max_size=20),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(dt.timezone.utc)),
    st.sampled_from(KINDS).map(lambda kind: pa.scalar(None, kind)),
)


class Both:
    """The same query in both engines."""

    def __init__(self, session: Session, sail: SailEngine) -> None:
        self._session = session
        self._local, self._sail = LocalEngine(session), sail

    def values(self, query: str, **params: Any) -> tuple[Any, Any]:
        ours = self._local.execute(query, {}, params).read_all()
        theirs = self._sail.execute(query, {}, params).read_all()
        columns = Columns(ours.schema, self._sail.name)
        columns.check(theirs.schema)
        (batch,) = map(columns.of, theirs.to_batches())
        return ours["x"][0].as_py(), batch["x"][0].as_py()

    def refuses(self, query: str) -> bool:
        planned = Planned(self._session.planned(query))
        try:
            check_dialect(query, planned, self._session.snapshot().settings)
        except QueryError:
            return True
        return False


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    profile = dfs.SessionProfile(name="spark", sql=SPARK)
    with (
        dfs.open_session(dfs.plan_session(profile)) as session,
        SailEngine(SailProfile()) as sail,
    ):
        yield Both(session, sail)


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        signs = math.copysign(1, ours) == math.copysign(1, theirs)
        return (math.isnan(ours) and math.isnan(theirs)) or (ours == theirs and signs)
    return bool(ours == theirs) and type(ours) is type(theirs)


@settings(max_examples=EXAMPLES)
@given(VALUES)
@example(decimal.Decimal("1E+3"))
@example(decimal.Decimal("0E-10"))
@example("it's \\' \\n \n")
@example(-0.0)
@example(5e-324)
@example(dt.date(1, 1, 1))
@example(dt.datetime(9999, 12, 31, 23, 59, 59, 999_999))
def test_a_parameter_of_any_type_is_the_same_value_in_both(
    both: Both, value: Any
) -> None:
    ours, theirs = both.values("SELECT $x AS x", x=value)

    assert same(ours, theirs)


@settings(max_examples=EXAMPLES)
@given(TEXTS)
@example("it's")
@example("a\\nb")
@example("''")
@example("")
def test_a_text_in_a_query_is_refused_or_the_same_in_both(
    both: Both, text: str
) -> None:
    escaped = text.replace("'", "''")
    query = f"SELECT '{escaped}' AS x"  # literals are what is tested
    if {"'", "\\"} & {*text}:
        assert both.refuses(query)
        return
    assert not both.refuses(query)

    ours, theirs = both.values(query)

    assert ours == theirs == text


@settings(max_examples=EXAMPLES)
@given(
    st.one_of(
        st.integers(0, 10**17).map(str),
        DECIMALS.map(lambda value: f"{abs(value):f}").filter(lambda text: "." in text),
        st.dates().map(lambda value: f"DATE '{value}'"),
        st.sampled_from(["TRUE", "FALSE", "NULL", "X'00ff'", "X''"]),
    )
)
def test_a_number_or_a_date_in_a_query_is_the_same_in_both(
    both: Both, literal: str
) -> None:
    kind = "BIGINT" if literal.isdigit() else None
    written = literal if kind is None else f"CAST({literal} AS {kind})"
    query = f"SELECT {written} AS x"  # likewise
    assert not both.refuses(query)

    ours, theirs = both.values(query)

    assert same(ours, theirs)
