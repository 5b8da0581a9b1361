import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from dagster_dfsession.delta.contract import Contract, check_columns, parse_contract
from dagster_dfsession.delta.declared import declared_schema
from dagster_dfsession.errors import ContractError


class Order(msgspec.Struct):
    id: int
    price: Annotated[Decimal, pa.decimal128(10, 2)]
    day: dt.date
    at: dt.datetime | None
    tags: list[str]
    note: Annotated[str | None, "any other note"] = None


@dataclasses.dataclass
class Unclear:
    price: Decimal


ORDER = {
    "id": pa.int64(),
    "price": pa.decimal128(10, 2),
    "day": pa.date32(),
    "at": pa.timestamp("us", tz="UTC"),
    "tags": pa.list_(pa.string()),
    "note": pa.string(),
}


def columns(**types: Any) -> pa.Schema:
    return pa.schema(types)


def test_a_struct_declares_its_columns_and_which_take_null() -> None:
    schema = declared_schema(Order)
    assert dict(zip(schema.names, schema.types, strict=True)) == ORDER
    assert [f.name for f in schema if f.nullable] == ["at", "note"]


@pytest.mark.parametrize(
    ("spelt", "held"),
    [
        ("int64", pa.int64()),
        ("bigint", pa.int64()),
        ("string", pa.string()),
        ("decimal(12, 3)", pa.decimal128(12, 3)),
        ("date", pa.date32()),
        ("timestamp[us]", pa.timestamp("us")),
        (pa.int8(), pa.int8()),
    ],
)
def test_a_type_is_named_as_arrow_or_sql_does(spelt: Any, held: pa.DataType) -> None:
    assert declared_schema({"x": spelt}).field("x").type == held


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"x": "integr"}, "the column 'x' is declared as 'integr', which is no type"),
        ({"x": 7}, "the column 'x' is declared as 7, which is no type"),
        (Unclear, "the column 'price' is declared as <class 'decimal.Decimal'>"),
        (int, "is <class 'int'>, a type; give a pyarrow.Schema"),
    ],
)
def test_what_declares_no_columns_is_refused(declared: Any, message: str) -> None:
    with pytest.raises(ContractError) as refused:
        declared_schema(declared)
    assert message in str(refused.value)


def test_unique_is_one_key_or_several() -> None:
    def keys(stated: Any) -> Any:
        return parse_contract({"unique": stated}, "up").unique

    assert keys("id") == keys(["id"]) == (("id",),)
    assert keys(["day", "id"]) == (("day", "id"),)
    assert keys([["id"], ["day", "id"]]) == (("id",), ("day", "id"))
    assert keys([]) == ()


def test_columns_in_any_order_and_spelling_of_their_type_are_the_declared() -> None:
    declared = columns(s=pa.string(), at=pa.timestamp("us", tz="UTC"))
    given_columns = columns(
        at=pa.timestamp("ns", tz="Europe/Vienna"), s=pa.string_view()
    )
    check_columns(Contract(schema=declared), given_columns, "up")


def test_all_that_is_wrong_with_the_columns_is_said_at_once() -> None:
    contract = Contract(
        schema=columns(id=pa.int64(), amount=pa.float64()),
        not_null=("idd",),
        unique=(("ammount", "id"),),
    )
    found = columns(id=pa.string(), amout=pa.float64())
    with pytest.raises(ContractError) as refused:
        check_columns(contract, found, "up")
    assert str(refused.value) == snapshot(
        "up: the columns are not those of its contract, and nothing was computed. missing: amount (double), is it 'amout'?; not declared: amout (double); of another type: id (string, declared int64); the rule 'not_null' names 'idd', which is no column, is it 'id'?; the rule 'unique ammount, id' names 'ammount', which is no column, is it 'amout'?. Select or cast in the query, or correct the asset's contract metadata."
    )
    assert refused.value.asset == "up"


@given(st.dictionaries(st.text(min_size=1), st.sampled_from(list(ORDER.values()))))
def test_an_arrow_schema_is_what_it_declares(types: dict[str, pa.DataType]) -> None:
    schema = pa.schema(list(types.items()))
    assert declared_schema(schema) == declared_schema(types) == schema
