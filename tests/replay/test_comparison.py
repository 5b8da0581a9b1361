"""Rows are compared as multisets, and floats for what they stand for."""

import math
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from datafusion import SessionContext
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_dfsession.replay.comparison import Comparison, compared

FIELDS: list["pa.Field[Any]"] = [
    pa.field("k", pa.string()),
    pa.field("n", pa.int64()),
    pa.field("x", pa.float64()),
]
SCHEMA = pa.schema(FIELDS)
CTX = SessionContext()
OTHER_NAN = math.copysign(math.nan, -1)

Row = tuple[str | None, int | None, float | None]
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]),
        st.sampled_from([1, 2, None]),
        st.sampled_from([0.0, -0.0, 1.5, math.inf, math.nan, OTHER_NAN, None]),
    ),
    max_size=8,
)


def of(then: list[Any], now: list[Any], schema: pa.Schema = SCHEMA) -> Comparison:
    def frame(rows: list[Any]) -> Any:
        columns = zip(*rows, strict=True) if rows else [[] for _ in schema]
        arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
        return CTX.from_arrow(pa.table(arrays, schema=schema))

    return compared(frame(then), frame(now), schema)


def counted(rows: list[Row]) -> Counter[Any]:
    def plain(x: float | None) -> Any:
        return "NaN" if x is not None and math.isnan(x) else x

    return Counter((k, n, plain(x)) for k, n, x in rows)


@settings(max_examples=40)
@given(ROWS, ROWS)
def test_what_one_side_lacks_is_counted_as_a_multiset_has_it(
    then: list[Row], now: list[Row]
) -> None:
    found = of(then, now)

    lost, new = counted(then) - counted(now), counted(now) - counted(then)
    assert (found.then.total, found.now.total) == (len(then), len(now))
    assert (found.then.count, found.now.count) == (lost.total(), new.total())
    assert (found.outcome == "equal") == (not lost and not new)


@settings(max_examples=20)
@given(ROWS, st.randoms())
def test_the_order_of_rows_does_not_count(rows: list[Row], random: Any) -> None:
    turned = list(rows)
    random.shuffle(turned)

    assert of(rows, turned).outcome == "equal"


def test_a_row_too_many_is_a_difference() -> None:
    found = of([("a", 1, 1.0)] * 2, [("a", 1, 1.0)])

    assert found.outcome == "different"
    assert found.then.first == ({"k": "a", "n": 1, "x": 1.0},)
    assert found.now.first == ()


def test_the_first_rows_come_in_order_and_are_five() -> None:
    found = of([("a", n, 0.0) for n in reversed(range(9))], [])

    assert [row["n"] for row in found.then.first] == [0, 1, 2, 3, 4]
    assert found.then.count == 9


@pytest.mark.parametrize(
    ("then", "now", "outcome"),
    [
        ([("a", 1, 0.1 + 0.2)], [("a", 1, 0.3)], "close"),
        ([("a", 1, 1e300)], [("a", 1, 1.0000000001e300)], "close"),
        ([("a", 1, 1.0)], [("a", 1, 1.00000001)], "different"),
        ([("a", 1, 0.1 + 0.2)], [("b", 1, 0.3)], "different"),
        ([("a", 1, 0.1 + 0.2)], [("a", 1, 0.3)] * 2, "different"),
        ([("a", 1, 0.1 + 0.2)] * 2, [("a", 1, 0.3)] * 2, "close"),
        ([("a", 1, 0.3)], [("a", 1, None)], "different"),
        ([("a", 1, math.inf)], [("a", 1, -math.inf)], "different"),
        ([("a", 1, 0.3), ("b", 1, 0.3)], [("a", 1, 0.1 + 0.2)], "different"),
    ],
)
def test_floats_may_differ_in_their_last_digits(
    then: list[Row], now: list[Row], outcome: str
) -> None:
    assert of(then, now).outcome == outcome


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1, None], None, []], pa.list_(pa.int64())),
        pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": None}]),
        pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        pa.array([b"x", None, b""]),
        pa.array([1, None, 2], pa.timestamp("us", tz="UTC")),
    ],
    ids=["list", "struct", "map", "binary", "timestamp"],
)
def test_every_type_of_column_is_compared(values: "pa.Array[Any]") -> None:
    table = pa.table({"v": values, "n": [1, 1, 1]})
    frame, turned = CTX.from_arrow(table), CTX.from_arrow(table.take([2, 0, 1]))

    assert compared(frame, turned, table.schema).outcome == "equal"
    lacking = compared(frame, CTX.from_arrow(table.slice(1)), table.schema)
    assert (lacking.then.count, lacking.now.count) == (1, 0)
