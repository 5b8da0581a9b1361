"""A table whose files do not mean what they say is left to a reader that knows why."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from dagster_dfsession.errors import DeltaError
from dagster_dfsession.pool.reading import NATIVE, PROVIDER
from tests.scans.foreign import deletion_vector, write_foreign
from tests.scans.reading import by_deltalake, reader_of, unordered

ROWS = pa.table({"n": [1, 2, 3, 4], "m": [10, 20, 30, 40]})
MAPPED: list[dict[str, Any]] = [
    {
        "name": name,
        "type": "long",
        "nullable": True,
        "metadata": {
            "delta.columnMapping.id": number,
            "delta.columnMapping.physicalName": physical,
        },
    }
    for number, (name, physical) in enumerate((("new", "n"), ("m", "m")), start=1)
]


def read(root: Path, query: str) -> tuple[list[str], str, str | None]:
    with reader_of(root) as reader:
        ((_, table),) = reader.read(query).tables.items()
        return unordered(reader.rows(query)), table.how, table.why


def test_rows_that_a_deletion_vector_takes_out_stay_out(tmp_path: Path) -> None:
    write_foreign(
        tmp_path / "t",
        ROWS,
        features=["deletionVectors"],
        properties={"delta.enableDeletionVectors": "true"},
        add={"deletionVector": deletion_vector([0, 2])},
    )
    query = "SELECT * FROM t WHERE n > 1"
    rows, how, why = read(tmp_path, query)

    assert rows == unordered(pa.table({"n": [2, 4], "m": [20, 40]}))
    assert rows == unordered(by_deltalake(tmp_path / "t", query))
    assert (how, why) == (PROVIDER, "the table has the feature deletionVectors")


def test_renamed_columns_are_read_by_their_new_names(tmp_path: Path) -> None:
    write_foreign(
        tmp_path / "t",
        ROWS,
        features=["columnMapping"],
        properties={"delta.columnMapping.mode": "name"},
        fields=MAPPED,
    )
    rows, how, why = read(tmp_path, "SELECT new FROM t WHERE new > 2")

    assert rows == ["{'new': 3}", "{'new': 4}"]
    assert (how, why) == (PROVIDER, "the table has the feature columnMapping")


def test_a_feature_that_no_reader_has_is_named(tmp_path: Path) -> None:
    write_foreign(tmp_path / "t", ROWS, features=["rowsFromTheFuture"])
    with (
        reader_of(tmp_path) as reader,
        pytest.raises(DeltaError, match="rowsFromTheFuture"),
    ):
        reader.read("SELECT * FROM t")


@pytest.mark.parametrize("feature", ["timestampNtz", "v2Checkpoint"])
def test_features_that_say_nothing_of_the_rows_are_no_hindrance(
    tmp_path: Path, feature: str
) -> None:
    write_foreign(tmp_path / "t", ROWS, features=[feature])
    rows, how, _ = read(tmp_path, "SELECT n FROM t WHERE m > 20")

    assert (rows, how) == (["{'n': 3}", "{'n': 4}"], NATIVE)


def test_the_empty_text_and_null_are_not_mixed_up(tmp_path: Path) -> None:
    for value in ("", None, "a"):
        part = pa.table({"k": pa.array([value], pa.string()), "n": [1]})
        write_deltalake(str(tmp_path / "t"), part, mode="append", partition_by=["k"])
    query = "SELECT k, n FROM t WHERE k IS NOT NULL"
    rows, how, why = read(tmp_path, query)

    assert rows == unordered(by_deltalake(tmp_path / "t", query))
    assert (how, why) == (PROVIDER, "NULL and the empty text are one in its partitions")
    assert read(tmp_path, "SELECT n FROM t")[1] == NATIVE
