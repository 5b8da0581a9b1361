"""Rows are the same only if all of them are."""

import datetime as dt
import decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dagster_dfsession.query.content import content_digest

COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "float": (pa.float64(), st.floats(allow_nan=False)),
    "string": (pa.string(), st.text(st.characters(codec="utf-8"))),
    "view": (pa.string_view(), st.text(st.characters(codec="utf-8"))),
    "binary": (pa.binary(), st.binary()),
    "binary view": (pa.binary_view(), st.binary()),
    "bool": (pa.bool_(), st.booleans()),
    "date": (pa.date32(), st.dates(dt.date(1, 1, 1))),
    "decimal": (
        pa.decimal128(12, 3),
        st.decimals(-(10**6), 10**6, places=3).map(decimal.Decimal),
    ),
    "list": (pa.list_(pa.int32()), st.lists(st.integers(0, 9))),
    "struct": (
        pa.struct([("x", pa.string())]),
        st.fixed_dictionaries({"x": st.none() | st.text("ab")}),
    ),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), st.text("ab", max_size=3)),
}


def table_of(kind: str, values: list[Any]) -> pa.Table:
    declared, _ = COLUMNS[kind]
    if pa.types.is_dictionary(declared):
        # One that grows from chunk to chunk, as readers make them.
        halves = values[: len(values) // 2], values[len(values) // 2 :]
        chunks = [pa.array(half, pa.string()).dictionary_encode() for half in halves]
        return pa.Table.from_arrays([pa.chunked_array(chunks)], ["a"])
    return pa.table({"a": pa.array(values, declared)})


@pytest.mark.parametrize("kind", COLUMNS)
@given(data=st.data())
@settings(max_examples=25)
def test_rows_have_one_digest_just_where_they_are_equal(
    kind: str, data: st.DataObject
) -> None:
    column = st.lists(st.none() | COLUMNS[kind][1], max_size=6)
    one, other = data.draw(column), data.draw(column)
    assume(str(one) != str(other))

    assert content_digest(table_of(kind, one)) == content_digest(table_of(kind, one))
    assert content_digest(table_of(kind, one)) != content_digest(table_of(kind, other))


def test_names_types_and_order_count_and_nothing_else() -> None:
    tables = [
        pa.table({"a": [1, 2]}),
        pa.table({"b": [1, 2]}),
        pa.table({"a": pa.array([1, 2], pa.int32())}),
        pa.table({"a": [2, 1]}),
        pa.table({"a": [1, 2], "b": [1, 2]}),
        pa.table({"a": pa.array([], pa.int64())}),
        pa.table({"a": pa.array([], pa.int32())}),
        pa.table({"a": ["1", "2"]}),
        pa.table({"a": pa.array(["1", "2"], pa.string_view())}),
    ]

    assert len({content_digest(table) for table in tables}) == len(tables)
    noted = tables[0].replace_schema_metadata({"k": "v"})
    cut = pa.concat_tables([tables[0].slice(0, 1), tables[0].slice(1)])
    assert content_digest(tables[0]) == content_digest(noted) == content_digest(cut)


def test_the_words_of_a_dictionary_count_and_not_only_their_numbers() -> None:
    one, other = (
        pa.table({"a": pa.array(words).dictionary_encode()})
        for words in (["x", "y"], ["p", "q"])
    )

    nested = [
        pa.StructArray.from_arrays([each.column("a").combine_chunks()], ["w"])
        for each in (one, other)
    ]
    digests = {content_digest(pa.table({"a": each})) for each in nested}
    assert len(digests) == 2
    assert content_digest(one) != content_digest(other)


def test_views_inside_other_types_are_read_too() -> None:
    one, other = (
        pa.table({"a": pa.array([[word]], pa.list_(pa.string_view()))})
        for word in ("x", "y")
    )

    assert content_digest(one) != content_digest(other)


def test_rows_cut_out_of_others_are_those_rows_alone() -> None:
    whole = pa.table({"a": range(100), "s": [str(n) for n in range(100)]})
    other = pa.table({"a": range(10, 100), "s": [str(n) for n in range(10, 100)]})

    assert content_digest(whole.slice(10, 5)) == content_digest(other.slice(0, 5))
