from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from dagster_dfsession.delta.layout import (
    GIB,
    Layout,
    check_layout,
    row_group_rows,
    target_file_size,
)
from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.errors import SchemaMismatchError
from dagster_dfsession.profile.base import MIB
from dagster_dfsession.profile.delta import BloomFilter, DeltaProfile
from tests.delta.writing import owning, write

COLUMNS = {"id": range(1000), "x": [1.5] * 1000, "s": ["a"] * 1000}


def written(place: Location, **options: Any) -> tuple[pq.FileMetaData, list[str]]:
    """The footer of the file that was written, and the columns the log knows of."""
    write(place, pa.table(COLUMNS), options=DeltaProfile(**options))
    table = DeltaTable(place.uri)
    [file] = table.file_uris()
    actions = pa.table(table.get_add_actions(flatten=True)).column_names
    return pq.read_metadata(file), [
        name.removeprefix("min.") for name in actions if name.startswith("min.")
    ]


@pytest.mark.parametrize(
    ("statistics", "known"),
    [
        (None, ["id", "x", "s"]),
        ("all", ["id", "x", "s"]),
        ("first(2)", ["id", "x"]),
        ("first(0)", []),
        ("only(s, id)", ["id", "s"]),
    ],
)
@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_the_log_has_statistics_of_the_columns_asked_for(
    place: Location, statistics: str | None, known: list[str], mode: Any
) -> None:
    options = DeltaProfile(statistics=statistics)
    write(place, pa.table(COLUMNS), options=options, mode=mode)
    actions = pa.table(DeltaTable(place.uri).get_add_actions(flatten=True)).column_names

    found = [n.removeprefix("min.") for n in actions if n.startswith("min.")]
    assert sorted(found) == sorted(known)


def test_a_table_that_is_there_keeps_its_statistics(place: Location) -> None:
    written(place, statistics="only(id)")
    assert written(place, statistics="all")[1] == ["id"]


def test_row_groups_have_the_rows_asked_for(place: Location) -> None:
    footer, _ = written(place, row_group_rows=300)
    assert [footer.row_group(i).num_rows for i in range(4)] == [300, 300, 300, 100]


def test_a_bloom_filter_is_in_the_file_of_its_column_alone(place: Location) -> None:
    plain, _ = written(place)
    asked = BloomFilter(column="id", distinct_values=1000)
    filtered, _ = written(place, bloom_filters=[asked])

    def sizes(footer: pq.FileMetaData) -> list[int | None]:
        group = footer.row_group(0)
        columns = (group.column(i) for i in range(3))
        return [getattr(each, "bloom_filter_offset", None) for each in columns]

    assert sizes(plain) == [None, None, None]
    assert [size is not None for size in sizes(filtered)] == [True, False, False]


@given(st.integers(1, 2000))
def test_row_groups_shrink_with_the_width_within_bounds(columns: int) -> None:
    narrow, wide = (
        row_group_rows(pa.schema([(f"c{i}", pa.string()) for i in range(n)]))
        for n in (columns, columns + 1)
    )
    assert 32 * 1024 <= wide <= narrow <= 1024 * 1024


def test_nested_and_empty_columns_have_a_width() -> None:
    nested = pa.schema([("a", pa.list_(pa.int8())), ("b", pa.bool_())])
    assert row_group_rows(nested) == 1024 * 1024
    assert row_group_rows(pa.schema([])) == 1024 * 1024


def test_a_file_size_that_is_asked_for_counts() -> None:
    assert target_file_size(DeltaProfile(target_file_size=7), None, ("k",)) == 7


def test_without_one_a_table_has_small_files_as_long_as_it_is_small(
    place: Location,
) -> None:
    asked = DeltaProfile()
    assert target_file_size(asked, None, ()) == 128 * MIB
    assert target_file_size(asked, None, ("k",)) == 64 * MIB
    write(place, pa.table(COLUMNS))
    assert target_file_size(asked, open_table(place), ()) == 32 * MIB


@pytest.mark.parametrize(
    ("held", "size"),
    [(GIB, 128 * MIB), (40 * GIB, 512 * MIB), (600 * GIB, GIB)],
)
def test_files_grow_with_the_table(held: int, size: int) -> None:
    assert target_file_size(DeltaProfile(), Sized(held), ()) == size  # type: ignore[arg-type]  # what it asks


def test_files_of_a_divided_table_stay_small(place: Location) -> None:
    write(place, {"k": ["a"], "x": [1]}, **owning("a"))
    assert target_file_size(DeltaProfile(), open_table(place), ()) == 32 * MIB
    assert target_file_size(DeltaProfile(), Sized(600 * GIB, ["k"]), ()) == 64 * MIB  # type: ignore[arg-type]  # as above


class Sized:
    """A table of so many bytes, which no test can write."""

    def __init__(self, size: int, partition_columns: list[str] | None = None) -> None:
        self.partition_columns = partition_columns or []
        self._size = size

    def get_add_actions(self) -> pa.Table:
        return pa.table({"size_bytes": [self._size]})

    def metadata(self) -> "Sized":
        return self


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (Layout(sort_by=("dayy",)), "up: sort_by names the column 'dayy'"),
        (
            Layout(
                stated=("bloom_filters",),
                options=DeltaProfile(bloom_filters=[BloomFilter(column="dya")]),  # type: ignore[arg-type]  # a list as in a file
            ),
            "bloom_filters names the column 'dya'",
        ),
        (
            Layout(
                stated=("statistics",), options=DeltaProfile(statistics="only(da, x)")
            ),
            "statistics names the column 'da'",
        ),
    ],
)
def test_a_layout_by_a_column_that_is_not_there_is_refused(
    layout: Layout, message: str
) -> None:
    types: Any = {"day": pa.date32(), "x": pa.int64()}
    with pytest.raises(SchemaMismatchError, match=message) as refused:
        check_layout(layout, layout.over(DeltaProfile()), pa.schema(types), "up")
    assert "Did you mean 'day'?" in str(refused.value)
