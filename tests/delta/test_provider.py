"""What DataFusion reads on an object store; a local table stands in for one there."""

import datetime as dt
import math
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from datafusion import SessionContext
from datafusion.catalog import Table
from deltalake import DeltaTable, write_deltalake

from dagster_dfsession.delta.location import Location
from dagster_dfsession.delta.provider import provider_of
from tests.scans.foreign import deletion_vector, write_foreign

STORE = Location("s3://bucket/t")
UTC = dt.timezone.utc
ROWS = pa.table(
    {
        "k": ["a", "b", "a b", "100%", None, "Ü", "a=b", "x/y"],
        "i": [1, 2, -3, None, 2**53 + 1, 7, 8, 9],
        "f": [1.5, -0.0, 0.0, None, math.inf, -math.inf, 2.0, 5e-324],
        "s": ["x" * 50, "y", None, "", "Ä", "x'y", "A", "a"],
        "b": [True, False, None, True, True, False, None, True],
        "d": [dt.date(2020, 1, 1), None, dt.date(1969, 12, 31)]
        + [dt.date(2024, 2, 29)] * 5,
        "t": [dt.datetime(2020, 1, 1, 0, 0, 0, 1, tzinfo=UTC), None]
        + [dt.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)] * 6,
        "n": [Decimal("1.10"), None, Decimal("-2.00")] + [Decimal("99999.99")] * 5,
    }
)
FILTERS = [
    *("k = 'a'", "k IS NULL", "k IN ('a', 'b')", "k <> 'a'", "k > 'a'", "k LIKE 'a%'"),
    *("k = 'a b'", "k = '100%'", "k = 'Ü'", "k = 'a=b'", "k = 'x/y'", "k NOT IN ('a')"),
    *("i > 1", "i = 9007199254740993", "i BETWEEN 1 AND 7", "NOT (i > 1)", "i > 1.5"),
    *("i IN (1, NULL)", "i NOT IN (1, 2)", "i IS DISTINCT FROM 2", "i % 2 = 1"),
    *("f > 1", "f < 0", "f = 0", "f > '-inf'", "f = 'inf'", "NOT (f > 1)", "f IS NULL"),
    *("s > ''", "s < 'b'", "s = 'x''y'", "upper(s) = 'A'", "s IS NOT NULL"),
    *("b", "NOT b", "b IS TRUE", "b IS NOT TRUE", "b OR i > 0", "b AND f > 1"),
    *("d < '1970-01-01'", "d IS NULL", "t > '2020-01-01'", "t < '1970-01-01'"),
    *("t <= TIMESTAMP '1969-12-31T23:59:59.999'", "n = 1.1", "n > 1.105", "n < 0"),
]


@pytest.fixture
def table(tmp_path: Path) -> DeltaTable:
    """A table of two commits and a file for each row."""
    place = str(tmp_path / "t")
    write_deltalake(place, ROWS.slice(0, 3), partition_by=["k"])
    write_deltalake(place, ROWS.slice(3), mode="append")
    return DeltaTable(place)


def test_a_local_table_reads_itself(table: DeltaTable) -> None:
    assert provider_of(table, Location("/t")) is table


@pytest.mark.parametrize("where", FILTERS)
def test_a_dataset_has_the_rows_that_the_table_has(
    table: DeltaTable, where: str
) -> None:
    ctx = SessionContext()
    ctx.register_table("own", Table(table))
    ctx.register_table("files", Table(provider_of(table, STORE)))

    def rows(name: str) -> list[str]:
        found = ctx.sql(f"SELECT i, f, s, k, n, d, t FROM {name} WHERE {where}")
        return sorted(map(str, found.to_pylist()))

    assert rows("files") == rows("own")


def test_files_of_other_partitions_are_not_read(table: DeltaTable) -> None:
    files = provider_of(table, STORE)
    assert isinstance(files, ds.Dataset)
    assert len(list(files.get_fragments())) == 8
    assert len(list(files.get_fragments(ds.field("k") == "a b"))) == 1
    assert len(list(files.get_fragments(ds.field("k").is_null()))) == 1


def test_rows_that_only_deltalake_can_tell_are_read_by_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_foreign(
        tmp_path / "t",
        pa.table({"n": [1, 2, 3]}),
        features=["deletionVectors"],
        properties={"delta.enableDeletionVectors": "true"},
        add={"deletionVector": deletion_vector([1])},
    )
    ctx = SessionContext()
    table = DeltaTable(str(tmp_path / "t"))
    ctx.register_table("t", Table(provider_of(table, STORE)))

    assert ctx.sql("SELECT n FROM t WHERE n > 1").to_pydict() == {"n": [3]}
    assert "has the feature deletionVectors, which only deltalake reads" in caplog.text


def test_mapped_columns_have_their_new_names(tmp_path: Path) -> None:
    mapped = {
        "delta.columnMapping.id": 1,
        "delta.columnMapping.physicalName": "n",
    }
    write_foreign(
        tmp_path / "t",
        pa.table({"n": [1, 2]}),
        features=["columnMapping"],
        properties={"delta.columnMapping.mode": "name"},
        fields=[{"name": "new", "type": "long", "nullable": True, "metadata": mapped}],
    )
    files = provider_of(DeltaTable(str(tmp_path / "t")), STORE)

    assert isinstance(files, ds.Dataset)
    assert files.to_table().to_pydict() == {"new": [1, 2]}
