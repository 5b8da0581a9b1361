import datetime as dt
import operator
import tempfile
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_dfsession.delta.literals import Value
from dagster_dfsession.delta.predicate import (
    And,
    In,
    Or,
    Predicate,
    Range,
    columns,
    to_expression,
    to_sql,
)
from dagster_dfsession.errors import PartitionError

UTC = dt.timezone.utc
NAIVE = pa.timestamp("us")
AWARE = pa.timestamp("us", tz="UTC")
MONEY = pa.decimal128(12, 2)

# From 2**56 microseconds on, in May 4253, deltalake 1.6 skips files that hold what is
# asked for, and takes all rows of others, where a bound lies in one millisecond with
# the greatest value of a file: the log has cut its microseconds off.
LATEST = dt.datetime(4253, 5, 31)

# Values of each type that Delta Lake holds; texts are what quoting could get wrong.
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.text(st.sampled_from("ab'\"%_\\;-ü `\n$?"), min_size=1, max_size=4),
    pa.int8(): st.integers(-(2**7), 2**7 - 1),
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(),
    NAIVE: st.datetimes(max_value=LATEST),
    AWARE: st.datetimes(
        min_value=dt.datetime(2, 1, 1),
        max_value=LATEST,
        timezones=st.sampled_from([UTC, dt.timezone(dt.timedelta(hours=-7))]),
    ),
    MONEY: st.decimals(min_value=-(10**9), max_value=10**9, places=2, allow_nan=False),
}
NAMES = ["k", "My Col", "a.b", 'q"t', "ünï", "select", "x'y"]


@st.composite
def cases(draw: st.DrawFn) -> tuple[pa.Table, Predicate, bool]:
    """A table of two columns, a predicate on them, and whether to partition."""
    schema = {}
    pools = {}
    for name in draw(st.permutations(NAMES))[:2]:
        kind = draw(st.sampled_from(list(VALUES)))
        schema[name] = kind
        pools[name] = draw(st.lists(VALUES[kind], min_size=2, max_size=4))
    size = draw(st.integers(1, 5))
    rows = {
        name: [draw(st.sampled_from([*pool, None])) for _ in range(size)]
        for name, pool in pools.items()
    }
    table = pa.table(
        {name: pa.array(rows[name], type=kind) for name, kind in schema.items()}
    ).append_column("row", pa.array(range(size)))

    def leaf(name: str) -> st.SearchStrategy[Predicate]:
        value = st.sampled_from(pools[name])
        choice = st.lists(value, min_size=1, max_size=3).map(
            lambda v: In(name, tuple(v))
        )
        if schema[name] == pa.bool_():
            return choice
        return choice | st.tuples(value, value).map(lambda v: Range(name, *sorted(v)))

    leaves = st.sampled_from(list(schema)).flatmap(leaf)
    several = st.lists(leaves, min_size=1, max_size=3).map(tuple)
    predicate = draw(leaves | several.map(And) | several.map(Or))
    # deltalake 1.6 writes the partition value -0.01 as '0.-1', and fails on it.
    may_divide = table.schema.field(0).type != MONEY
    return table, predicate, may_divide and draw(st.booleans())


def holds(predicate: Predicate, row: dict[str, Any]) -> bool:
    """The meaning, in plain Python."""
    if isinstance(predicate, In):
        return (
            row[predicate.column] is not None
            and row[predicate.column] in predicate.values
        )
    if isinstance(predicate, Range):
        value = row[predicate.column]
        return value is not None and (
            predicate.lower_inclusive <= value < predicate.upper_exclusive
        )
    quantifier: Callable[[Any], bool] = all if isinstance(predicate, And) else any
    return quantifier(holds(part, row) for part in predicate.parts)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_sql_expression_and_python_select_the_same_rows(
    case: tuple[pa.Table, Predicate, bool],
) -> None:
    table, predicate, partitioned = case
    expected = [row["row"] for row in table.to_pylist() if holds(predicate, row)]
    found = table.filter(to_expression(predicate, table.schema))
    assert found.column("row").to_pylist() == expected

    sql = to_sql(predicate, table.schema)
    with tempfile.TemporaryDirectory() as place:
        first = table.schema.names[0]
        write_deltalake(place, table, partition_by=[first] if partitioned else None)
        delta = DeltaTable(place)
        query = f'SELECT "row" FROM t WHERE {sql} ORDER BY 1'
        answer = pa.table(QueryBuilder().register("t", delta).execute(query).read_all())
        assert answer.column("row").to_pylist() == expected
        # The same text, where it matters: as what an overwrite replaces.
        write_deltalake(delta, table.slice(0, 0), mode="overwrite", predicate=sql)
        left = pa.table(pa.RecordBatchReader.from_stream(delta.scan(columns=["row"])))
        kept = set(range(table.num_rows)) - set(expected)
        assert set(left.column("row").to_pylist()) == kept


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (pa.int64(), "x", "takes a int"),
        (pa.int64(), "1", "takes a int"),
        (pa.int64(), True, "takes a int"),
        (pa.int64(), Decimal(1), "takes a int"),
        (pa.int8(), 128, "does not fit"),
        (pa.int64(), 2**63, "does not fit"),
        (pa.uint8(), -1, "does not fit"),
        (pa.string(), 1, "takes a str"),
        (pa.bool_(), 1, "takes a bool"),
        (pa.date32(), dt.datetime(2026, 1, 1), "takes a date"),
        (pa.date32(), "2026-01-01", "takes a date"),
        (NAIVE, dt.date(2026, 1, 1), "takes a datetime without"),
        (NAIVE, dt.datetime(2026, 1, 1, tzinfo=UTC), "takes a datetime without"),
        (AWARE, dt.datetime(2026, 1, 1), "takes a datetime with a"),
        (pa.timestamp("s"), dt.datetime(2026, 1, 1, microsecond=1), "does not fit"),
        (MONEY, Decimal("0.001"), "does not fit"),
        (MONEY, Decimal(10**11), "does not fit"),
    ],
)
def test_a_value_that_is_none_of_the_column_is_refused(
    kind: pa.DataType, value: Value, said: str
) -> None:
    schema = pa.schema({"k": kind})
    for render in (to_sql, to_expression):
        for predicate in (In("k", (value,)), Range("k", value, value)):
            with pytest.raises(PartitionError, match=said):
                render(predicate, schema)


@pytest.mark.parametrize(
    "kind", [pa.float64(), pa.list_(pa.int8()), pa.binary(), pa.time64("us"), pa.null()]
)
def test_a_type_without_exact_equality_is_refused_by_name(kind: pa.DataType) -> None:
    with pytest.raises(
        PartitionError, match="these types can: string, int8"
    ) as refused:
        to_sql(In("k", (1,)), pa.schema({"k": kind}))
    assert str(kind) in str(refused.value)


def test_a_missing_column_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(PartitionError, match="the columns are a, b"):
        to_sql(In("k", (1,)), pa.schema({"a": pa.int8(), "b": pa.int8()}))


@pytest.mark.parametrize("empty", [In("k", ()), And(()), Or(())])
def test_a_predicate_of_nothing_is_refused(empty: Predicate) -> None:
    for render in (to_sql, to_expression):
        with pytest.raises(PartitionError, match="at least one"):
            render(empty, pa.schema({"k": pa.int8()}))


def test_five_thousand_alternatives_are_no_deep_tree() -> None:
    schema = pa.table({"k": [""], "n": [0]}).schema
    many = Or(tuple(And((In("k", ("a",)), In("n", (i,)))) for i in range(5_000)))
    depth = 0
    deepest = 0
    for character in to_sql(many, schema):
        depth += {"(": 1, ")": -1}.get(character, 0)
        deepest = max(deepest, depth)
    assert deepest < 20
    assert columns(many) == {"k", "n"}


@pytest.mark.parametrize(
    "kind", [pa.dictionary(pa.int8(), pa.string()), pa.large_string(), pa.string_view()]
)
def test_every_spelling_of_text_is_text(kind: pa.DataType) -> None:
    assert to_sql(In("k", ("a",)), pa.schema({"k": kind})) == "\"k\" IN ('a')"


def test_and_or_differ() -> None:
    rows = pa.table({"n": [1, 2, 3]})
    parts = (In("n", (1, 2)), In("n", (2, 3)))
    both = rows.filter(to_expression(And(parts), rows.schema))
    either = rows.filter(to_expression(Or(parts), rows.schema))
    assert operator.eq(both.to_pydict(), {"n": [2]})
    assert either.to_pydict() == {"n": [1, 2, 3]}
