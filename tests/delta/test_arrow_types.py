import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dagster_dfsession.delta.arrow_types import column_differences, delta_schema
from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.errors import SchemaMismatchError

# A type that Delta lacks, a value at its edge, and what it is held as.
HELD: list[tuple[pa.DataType, Any, pa.DataType]] = [
    (pa.string_view(), "ü", pa.string()),
    (pa.large_string(), "ü", pa.string()),
    (pa.dictionary(pa.int8(), pa.string()), "a", pa.string()),
    (pa.dictionary(pa.int32(), pa.int64()), 7, pa.int64()),
    (pa.binary_view(), b"\x00", pa.binary()),
    (pa.binary(2), b"ab", pa.binary()),
    (pa.uint8(), 255, pa.int16()),
    (pa.uint16(), 65_535, pa.int32()),
    (pa.uint32(), 2**32 - 1, pa.int64()),
    (pa.float16(), 0.5, pa.float32()),
    (pa.date64(), dt.date(1960, 1, 2), pa.date32()),
    (pa.timestamp("s"), dt.datetime(1960, 1, 2), pa.timestamp("us")),
    (pa.timestamp("ms"), dt.datetime(1960, 1, 2), pa.timestamp("us")),
    (pa.timestamp("ns"), dt.datetime(1960, 1, 2), pa.timestamp("us")),
    (pa.decimal32(5, 2), Decimal("999.99"), pa.decimal128(5, 2)),
    (pa.decimal256(38, 2), Decimal("-0.01"), pa.decimal128(38, 2)),
    (pa.large_list(pa.uint8()), [255], pa.list_(pa.int16())),
    (pa.list_(pa.string_view()), ["a", None], pa.list_(pa.string())),
    (pa.list_(pa.int8(), 2), [1, 2], pa.list_(pa.int8())),
    (pa.struct([("a", pa.uint8())]), {"a": 255}, pa.struct([("a", pa.int16())])),
    (pa.map_(pa.string(), pa.uint8()), [("a", 255)], pa.map_(pa.string(), pa.int16())),
]


@pytest.mark.parametrize(("kind", "value", "held"), HELD, ids=str)
def test_a_type_that_delta_lacks_keeps_its_values(
    kind: pa.DataType, value: Any, held: pa.DataType, tmp_path: Path
) -> None:
    rows = pa.table({"x": pa.array([value, None], type=kind)})
    place = Location(str(tmp_path / "t"))
    write_table(WriteRequest(location=place), rows.to_reader())
    write_table(WriteRequest(location=place, mode="append"), rows.to_reader())
    table = open_table(place)
    assert table is not None
    found = table.to_pyarrow_table().column("x")
    assert found.type.equals(held) or found.cast(held).equals(found)
    assert found.to_pylist() == [value, None] * 2


def test_an_instant_is_one_instant_in_any_zone(tmp_path: Path) -> None:
    paris = pa.array([0], pa.timestamp("us", tz="Europe/Paris"))
    place = Location(str(tmp_path / "t"))
    write_table(WriteRequest(location=place), pa.table({"x": paris}).to_reader())
    table = open_table(place)
    assert table is not None
    assert table.to_pyarrow_table().column("x").type == pa.timestamp("us", tz="UTC")
    assert table.to_pyarrow_table().column("x").cast(pa.int64()).to_pylist() == [0]


@pytest.mark.parametrize(
    "kind",
    [
        pa.uint64(),
        pa.time64("us"),
        pa.duration("us"),
        pa.null(),
        pa.month_day_nano_interval(),
        pa.decimal256(40, 2),
        pa.decimal128(5, -2),
        pa.struct([]),
        pa.list_view(pa.int8()),
        pa.run_end_encoded(pa.int32(), pa.string()),
    ],
    ids=str,
)
def test_a_type_without_exact_place_is_refused_by_column(kind: pa.DataType) -> None:
    with pytest.raises(SchemaMismatchError, match="'x' is of type"):
        delta_schema(pa.schema({"x": kind}))
    with pytest.raises(SchemaMismatchError, match=r"'x\.element' is of type"):
        delta_schema(pa.schema({"x": pa.list_(kind)}))


@pytest.mark.parametrize("names", [("a", "A"), ("a", "a")])
def test_names_equal_but_for_case_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(SchemaMismatchError, match="share a name"):
        delta_schema(pa.schema([(name, pa.int8()) for name in names]))


def test_spelling_order_and_nullability_are_no_difference() -> None:
    table = pa.schema(
        [
            pa.field("s", pa.string(), nullable=False),
            pa.field("l", pa.list_(pa.field("element", pa.int8()))),
            pa.field("t", pa.timestamp("us", tz="UTC")),
        ]
    )
    stream = pa.schema(
        {
            "t": pa.timestamp("us", tz="Europe/Paris"),
            "l": pa.list_(pa.field("item", pa.int8(), nullable=False)),
            "s": pa.dictionary(pa.int8(), pa.string()),
        }
    )
    assert column_differences(stream, table) == ([], [], [])
    naive = pa.schema({**{f.name: f.type for f in stream}, "t": pa.timestamp("us")})
    assert len(column_differences(naive, table)[2]) == 1
