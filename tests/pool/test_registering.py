"""What can be registered, and under which names."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from datafusion import SessionContext
from deltalake import DeltaTable, write_deltalake
from inline_snapshot import snapshot

from dagster_dfsession.errors import UnsupportedTypeError
from dagster_dfsession.plan.build import SessionPlan
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.pool.scope import Scope
from dagster_dfsession.session.factory import open_session

Planned = Callable[..., SessionPlan]

ROWS = pa.table({"a": [1, 2]})


@pytest.fixture
def lease(planned: Planned) -> Iterator[Lease]:
    with open_session(planned()) as session:
        yield Lease(session, Scope(run_id="1a2b3c4d", step="load"))


def total(lease: Lease, query: str, **tables: Any) -> int:
    (row,) = lease.sql(query, tables=tables).to_pylist()
    found: int = row["a"]
    return found


def kinds(path: Path) -> dict[str, Any]:
    write_deltalake(path, ROWS)
    return {
        "datafusion": SessionContext().from_arrow(ROWS),
        "arrow table": ROWS,
        "batch": ROWS.to_batches()[0],
        "reader": ROWS.to_reader(),
        "no batches": pa.table({"a": [3]}).slice(0, 0),
        "polars": pl.from_arrow(ROWS),
        "pandas": pd.DataFrame({"a": [1, 2]}),
        "delta": DeltaTable(path),
        "dataset": ds.dataset(ROWS),
    }


KINDS = (
    "datafusion",
    "arrow table",
    "batch",
    "reader",
    "no batches",
    "polars",
    "pandas",
    "delta",
    "dataset",
)


@pytest.mark.demand("D52")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_can_be_registered_and_passed(
    kind: str, lease: Lease, tmp_path: Path
) -> None:
    expected = None if kind == "no batches" else 3

    name = lease.register("t", kinds(tmp_path / "one")[kind])
    assert total(lease, "SELECT sum(a) AS a FROM t") == expected
    assert total(lease, f"SELECT sum(a) AS a FROM {name}") == expected
    passed = kinds(tmp_path / "other")[kind]
    assert total(lease, "SELECT sum(a) AS a FROM u", u=passed) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_rows_in_memory_have_a_digest_and_others_have_none(
    kind: str, lease: Lease, tmp_path: Path
) -> None:
    name = lease.register("t", kinds(tmp_path)[kind])

    in_memory = kind not in {"datafusion", "delta", "dataset"}
    assert set(lease.digests) == ({name} if in_memory else set())


def test_what_is_no_table_is_refused_and_leaves_nothing(lease: Lease) -> None:
    before = lease.session.catalog.registered

    with pytest.raises(UnsupportedTypeError) as refused:
        lease.register("t", [1, 2])

    assert str(refused.value) == snapshot(
        "list is not a table: pass a datafusion.DataFrame, a deltalake.DeltaTable, a pyarrow Table, RecordBatchReader or Dataset, or a frame with an Arrow stream such as a polars or pandas DataFrame"
    )
    assert lease.session.catalog.registered == before
    assert lease.names == {}
    lease.release()


@pytest.mark.parametrize("name", ["", "A", "1a", "a b", 'a"', "a.b", "ä", "a\n"])
def test_a_name_that_sql_would_not_read_as_it_is_written_is_refused(
    name: str, lease: Lease
) -> None:
    with pytest.raises(UnsupportedTypeError, match="cannot name a table here"):
        lease.register(name, ROWS)
