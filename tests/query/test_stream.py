"""A query runs batch by batch, and tells afterwards what it cost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from datafusion import SessionContext, udf

from dagster_dfsession.errors import QueryError
from dagster_dfsession.pool.lease import Lease
from dagster_dfsession.profile.execution import ExecutionProfile
from dagster_dfsession.profile.runtime import FairPool, RuntimeProfile
from dagster_dfsession.query.metrics import MOST_FILES, QueryMetrics
from dagster_dfsession.query.stream import Execution

Lent = Callable[..., Lease]

ONE_BY_ONE = ExecutionProfile(target_partitions=1, batch_size=100)
NOTHING = QueryMetrics(
    rows_read=0, bytes_scanned=0, files_read=0, spilled_bytes=0, peak_memory_bytes=0
)


def over_files(lease: Lease, files: Path, query: str) -> Execution:
    lease.session.ctx.register_parquet("rows", str(files))
    return Execution(lease.sql(query), "computing it")


class Counted:
    """A function that counts its calls, and fails at one of them."""

    def __init__(self, fails_at: int = 0) -> None:
        self.calls = 0
        self.fails_at = fails_at

    def __call__(self, values: Any) -> Any:
        self.calls += 1
        if self.calls == self.fails_at:
            raise LookupError("no such airport")
        return values

    def register(self, lease: Lease) -> None:
        lease.session.ctx.register_udf(
            udf(self, [pa.int64()], pa.int64(), "volatile", name="counted")
        )
        rows = pa.table({"a": pa.array(range(3000), pa.int64())})
        batches = rows.to_batches(max_chunksize=100)
        lease.session.ctx.register_record_batches("numbers", [batches])


def test_a_batch_is_computed_when_it_is_asked_for(lent: Lent) -> None:
    lease, counted = lent(execution=ONE_BY_ONE), Counted()
    counted.register(lease)

    execution = Execution(lease.sql("SELECT counted(a) AS a FROM numbers"), "x")
    assert (counted.calls, execution.rows, execution.elapsed_ms) == (0, 0, 0.0)
    first = execution.reader.read_next_batch()

    assert (first.num_rows, execution.rows) == (100, 100)
    assert counted.calls < 10
    assert execution.reader.read_all().num_rows == 2900
    assert (counted.calls, execution.rows) == (30, 3000)
    assert execution.elapsed_ms > 0
    assert execution.failure is None


def test_what_was_read_is_counted_afterwards(lent: Lent, files: Path) -> None:
    query = "SELECT a.s FROM rows a JOIN rows b ON a.id = b.k"
    execution = over_files(lent(), files, query)
    assert execution.metrics == NOTHING

    assert execution.reader.read_all().num_rows == 30_000

    metrics = execution.metrics
    assert metrics.rows_read > 30_000
    assert metrics.bytes_scanned > 1000
    assert metrics.files_read == 6
    assert metrics.spilled_bytes == 0
    assert metrics.peak_memory_bytes > 1000
    assert execution.files is not None
    assert {Path(path).name for path in execution.files} == {
        f"{part}.parquet" for part in range(3)
    }


def test_rows_that_statistics_exclude_are_not_read(lent: Lent, files: Path) -> None:
    execution = over_files(lent(), files, "SELECT s FROM rows WHERE id = 15000")

    assert execution.reader.read_all().num_rows == 1
    assert execution.metrics.rows_read <= 2_000


def test_too_many_files_are_counted_and_not_named(lent: Lent, tmp_path: Path) -> None:
    lease = lent(execution=ExecutionProfile(target_partitions=1))
    schema = pa.schema({"a": pa.int64()})
    for number in range(MOST_FILES + 1):
        path = tmp_path / f"{number}.csv"
        path.write_text("a\n1\n")
    lease.session.ctx.register_csv("rows", str(tmp_path), schema=schema)

    execution = Execution(lease.sql("SELECT sum(a) AS a FROM rows"), "x")

    assert execution.reader.read_all().to_pydict() == {"a": [MOST_FILES + 1]}
    assert execution.metrics.files_read == MOST_FILES + 1
    assert execution.files is None


def test_a_sort_that_spills_says_how_much(lent: Lent, files: Path) -> None:
    lease = lent(
        runtime=RuntimeProfile(memory_pool=FairPool(size="1M")),
        execution=ExecutionProfile(
            target_partitions=1, batch_size=512, sort_spill_reservation=64 * 1024
        ),
    )
    execution = over_files(lease, files, "SELECT * FROM rows ORDER BY s, id")

    assert execution.reader.read_all().num_rows == 30_000
    assert execution.metrics.spilled_bytes > 100_000


def test_a_failure_is_kept_for_who_cannot_see_it_raised(lent: Lent) -> None:
    lease, counted = lent(execution=ONE_BY_ONE), Counted(fails_at=5)
    counted.register(lease)
    execution = Execution(
        lease.sql("SELECT counted(a) AS a FROM numbers"), "computing shop"
    )

    with pytest.raises(QueryError, match=r"computing shop: .*no such airport") as error:
        execution.reader.read_all()

    assert execution.failure is error.value
    assert execution.rows == 400
    assert execution.elapsed_ms > 0


def test_a_frame_that_cannot_be_planned_fails_before_it_runs(lent: Lent) -> None:
    frame = lent().sql("SELECT CAST('x' AS INT) AS a")

    with pytest.raises(QueryError, match=r"computing it: .*Cannot cast string 'x'"):
        Execution(frame, "computing it")


def test_a_stream_that_is_left_early_is_no_failure(lent: Lent) -> None:
    lease, counted = lent(execution=ONE_BY_ONE), Counted()
    counted.register(lease)
    execution = Execution(lease.sql("SELECT counted(a) AS a FROM numbers"), "x")
    execution.reader.read_next_batch()

    execution.reader.close()
    del execution.reader

    assert execution.failure is None
    assert counted.calls < 30


@pytest.mark.parametrize(
    "query",
    [
        "SELECT k, count(*) AS n, avg(id) AS m FROM rows GROUP BY k ORDER BY k",
        "SELECT NULL AS a UNION ALL SELECT 1",
        "SELECT 1 AS a UNION ALL SELECT id FROM rows WHERE id < 3",
        "SELECT s, [id, NULL] AS l, {'k': k} AS m FROM rows WHERE id < 3",
        "SELECT a.id, b.s FROM rows a LEFT JOIN rows b ON a.id = b.id + 29999",
        "SELECT id FROM rows WHERE false",
        "SELECT arrow_cast(s, 'Dictionary(Int32, Utf8)') AS s FROM rows LIMIT 3",
        "SELECT coalesce(max(id), 0) AS m, now() > '2020-01-01' AS t FROM rows",
        "EXPLAIN SELECT 1",
    ],
    ids=range(9),
)  # fmt: skip
def test_a_stream_is_what_the_engine_gives(query: str, lent: Lent, files: Path) -> None:
    lease = lent(execution=ExecutionProfile(target_partitions=1))
    read = over_files(lease, files, query).reader.read_all()

    expected = lease.sql(query).to_arrow_table()
    assert sorted(map(str, read.to_pylist())) == sorted(map(str, expected.to_pylist()))
    assert read.schema.names == expected.schema.names
    assert read.schema.types == expected.schema.types


def test_of_an_arrow_dataset_nothing_is_counted() -> None:
    ctx = SessionContext()
    ctx.register_dataset("t", ds.dataset(pa.table({"n": [1, 2]})))
    execution = Execution(ctx.sql("SELECT n FROM t"), "reading t")
    execution.reader.read_all()

    assert not execution.metrics.counted
