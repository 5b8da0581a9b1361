"""Clustering some partitions of a table."""

import pyarrow as pa
from deltalake import WriterProperties

from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.optimize import optimize
from tests.delta.writing import rows_of, write

ROWS = pa.table({"k": ["a", "b", None], "x": [1, 2, 3]})


def files(place: Location) -> set[str]:
    table = open_table(place)
    assert table is not None
    return set(table.file_uris())


def cluster(place: Location, *keys: str) -> str:
    within = {"k": keys} if keys else {}
    return optimize(place, z_order_by=["x"], within=within, min_files=1).note


def test_files_of_other_partitions_stay_as_they_are(place: Location) -> None:
    write(place, ROWS, partition_by=("k",))
    before, rows = files(place), rows_of(place)
    cluster(place, "a")

    assert len(files(place) & before) == 2
    assert rows_of(place) == rows


def test_the_same_partitions_are_not_clustered_twice(place: Location) -> None:
    write(place, ROWS, partition_by=("k",))
    assert cluster(place, "a", "b") == ""
    assert cluster(place, "b", "a") == "no rows are new since they were clustered"
    assert cluster(place, "a") == ""


def test_clustered_partitions_do_not_make_a_clustered_table(place: Location) -> None:
    write(place, ROWS, partition_by=("k",))
    cluster(place, "a")
    before = files(place)

    assert cluster(place) == ""
    assert not files(place) & before


def test_compaction_takes_the_same_partitions_and_writer(place: Location) -> None:
    for _ in range(2):
        write(place, ROWS, mode="append", partition_by=("k",))
    before = files(place)
    writer = WriterProperties(compression="ZSTD")
    optimize(place, within={"k": ["a"]}, writer=writer)

    assert len(files(place) & before) == 4
