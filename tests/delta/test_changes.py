"""The rows that changed between two versions, whichever way they changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datafusion import SessionContext, col, lit
from datafusion.catalog import Table
from deltalake import CommitProperties, DeltaTable, write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_dfsession.delta.changes import CHANGE_COLUMNS, FEED, START, changes
from dagster_dfsession.delta.location import Location
from dagster_dfsession.errors import DeltaError

Row = tuple[Any, ...]


def table(place: Path) -> DeltaTable:
    return DeltaTable(str(place))


def append(place: Path, rows: dict[str, Any], **options: Any) -> None:
    write_deltalake(str(place), pa.table(rows), mode="append", **options)


def fed(place: Path, rows: dict[str, Any], **options: Any) -> None:
    append(place, rows, configuration={FEED: "true"}, **options)


def read(place: Path, since: int, until: int | None = None) -> list[Row]:
    at = DeltaTable(str(place), version=until)
    found = changes(at, Location(str(place)), since).to_table()
    return sorted(map(tuple, zip(*found.to_pydict().values(), strict=True)), key=str)


def brief(rows: list[Row]) -> list[Row]:
    """Rows without the time of their commit."""
    return [row[:-1] for row in rows]


def test_after_the_start_all_rows_are_inserts_of_the_version_read(
    tmp_path: Path,
) -> None:
    append(tmp_path, {"x": [1, 2]})
    append(tmp_path, {"x": [3]})
    table(tmp_path).delete("x = 1")

    assert brief(read(tmp_path, START)) == [(2, "insert", 2), (3, "insert", 2)]


def test_without_a_feed_appended_files_are_the_inserts(tmp_path: Path) -> None:
    for x in range(4):
        append(tmp_path, {"x": [x]})

    assert brief(read(tmp_path, 1)) == [(2, "insert", 2), (3, "insert", 3)]
    assert brief(read(tmp_path, 0, until=1)) == [(1, "insert", 1)]


def test_compaction_and_properties_change_no_row(tmp_path: Path) -> None:
    append(tmp_path, {"x": [1]})
    append(tmp_path, {"x": [2]})
    table(tmp_path).optimize.compact()
    table(tmp_path).alter.set_table_properties({FEED: "true"})

    assert read(tmp_path, 1) == []


def test_up_to_date_is_no_row_with_all_columns(tmp_path: Path) -> None:
    append(tmp_path, {"x": [1]})

    found = changes(table(tmp_path), Location(str(tmp_path)), 0)

    assert found.to_table().num_rows == 0
    assert found.schema.names == ["x", *CHANGE_COLUMNS.names]


STEPS: dict[str, Callable[[Path, int], None]] = {
    "append": lambda place, n: append(place, {"k": ["a", "b"], "x": [n, n + 1]}),
    "update": lambda place, n: _ignored(
        table(place).update(predicate=f"x > {n}", updates={"x": "x + 1"})
    ),
    "delete": lambda place, n: _ignored(table(place).delete(f"x = {n}")),
    "overwrite": lambda place, n: write_deltalake(
        str(place), pa.table({"k": ["c"], "x": [n]}), mode="overwrite"
    ),
    "replace": lambda place, n: write_deltalake(
        str(place),
        pa.table({"k": ["a"], "x": [n]}),
        mode="overwrite",
        predicate="k = 'a'",
    ),
    "compact": lambda place, _: _ignored(table(place).optimize.compact()),
}


def _ignored(_: object) -> None:
    """What deltalake says of its work."""


@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 3)),
        min_size=1,
        max_size=6,
    ),
    divided=st.booleans(),
    data=st.data(),
)
def test_changes_are_those_that_deltalake_reads_itself(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, int]],
    divided: bool,  # noqa: FBT001  # drawn by name
    data: st.DataObject,
) -> None:
    place = tmp_path_factory.mktemp("fed")
    by = ["k"] if divided else None
    fed(place, {"k": ["a", "b"], "x": [1, 2]}, partition_by=by)
    for step, n in steps:
        STEPS[step](place, n)
    newest = table(place).version()
    since = data.draw(st.integers(0, newest))
    names = ["k", "x", *CHANGE_COLUMNS.names[:2]]
    theirs: list[Row] = []
    if since < newest:
        feed = pa.table(table(place).load_cdf(starting_version=since + 1))
        theirs = list(zip(*(feed[name].to_pylist() for name in names), strict=True))

    ours = changes(table(place), Location(str(place)), since).to_table()
    found = list(zip(*(ours[name].to_pylist() for name in names), strict=True))

    assert sorted(found) == sorted(theirs)


def test_a_commit_that_took_rows_out_without_a_feed_is_refused_with_the_way_out(
    tmp_path: Path,
) -> None:
    append(tmp_path, {"x": [1, 2]})
    table(tmp_path).delete("x = 1")

    with pytest.raises(DeltaError) as refused:
        read(tmp_path, 0)

    text = str(refused.value)
    assert "version 1 (DELETE) took rows out of the table" in text
    assert "Set its property delta.enableChangeDataFeed to 'true'" in text


def test_a_feed_that_was_turned_on_later_does_not_speak_for_the_time_before(
    tmp_path: Path,
) -> None:
    append(tmp_path, {"x": [1, 2, 3]})
    table(tmp_path).delete("x = 1")
    table(tmp_path).alter.set_table_properties({FEED: "true"})
    table(tmp_path).delete("x = 2")

    assert brief(read(tmp_path, 1)) == [(2, "delete", 3)]
    with pytest.raises(DeltaError, match=r"version 1 \(DELETE\) took rows out"):
        read(tmp_path, 0)


def test_a_log_that_was_cleaned_up_is_refused(tmp_path: Path) -> None:
    for x in range(3):
        append(tmp_path, {"x": [x]})
    table(tmp_path).create_checkpoint()
    (tmp_path / "_delta_log" / f"{1:020}.json").unlink()

    assert brief(read(tmp_path, 1)) == [(2, "insert", 2)]
    with pytest.raises(DeltaError, match="the log no longer has version 1"):
        read(tmp_path, 0)


@pytest.mark.parametrize("since", [START, 0])
@pytest.mark.parametrize(
    "values",
    [
        pa.array(["a b/é%20", None]),
        pa.array([1, None], pa.int8()),
        pa.array([0, None], pa.date32()),
        pa.array([5_000_001, None], pa.timestamp("us")),
        pa.array([5_000_001, None], pa.timestamp("us", tz="UTC")),
        pa.array([True, None]),
    ],
    ids=lambda values: str(values.type),
)
def test_partition_values_of_every_type_come_back(
    tmp_path: Path, values: "pa.Array[Any]", since: int
) -> None:
    rows = {"p": values, "x": [1, 2]}
    for _ in range(2):
        append(tmp_path, rows, partition_by=["p"])

    found = changes(table(tmp_path), Location(str(tmp_path)), since).to_table()

    found = found.sort_by("x").select(["p", "x"])
    copies = 2 if since == START else 1
    expected = [
        {"p": p, "x": x} for p, x in zip(values.to_pylist(), (1, 2), strict=True)
    ]
    assert found.to_pylist() == [row for row in expected for _ in range(copies)]


def test_columns_that_were_added_later_are_null_before(tmp_path: Path) -> None:
    append(tmp_path, {"x": [0]})
    append(tmp_path, {"x": [1]})
    append(tmp_path, {"x": [2], "y": ["new"]}, schema_mode="merge")

    found = changes(table(tmp_path), Location(str(tmp_path)), 0).to_table()

    assert sorted(zip(*(found[n].to_pylist() for n in "xy"), strict=True)) == [
        (1, None),
        (2, "new"),
    ]


def test_the_engine_reads_them_as_a_table_twice_over(tmp_path: Path) -> None:
    fed(tmp_path, {"x": [1, 2, 3]})
    table(tmp_path).update(predicate="x = 2", updates={"x": "20"})
    ctx = SessionContext()
    ctx.register_table("t", Table(changes(table(tmp_path), Location(str(tmp_path)), 0)))
    after = ctx.table("t").filter(col("_change_type") == lit("update_postimage"))

    assert [after.to_pydict()["x"] for _ in range(2)] == [[20], [20]]


def test_the_time_of_a_commit_is_that_of_the_log(tmp_path: Path) -> None:
    append(tmp_path, {"x": [1]}, commit_properties=CommitProperties())
    [(*_, moment)] = read(tmp_path, START)

    stated = table(tmp_path).history()[0]["timestamp"]
    assert round(moment.timestamp() * 1000) == stated
