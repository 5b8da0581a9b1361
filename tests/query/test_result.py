"""The rows of a query as they come: in every form, once, and until cancelled."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from datafusion import DataFrame, SessionConfig, SessionContext, udf
from deltalake import DeltaTable

from dagster_dfsession import DataFusionSessionResource
from dagster_dfsession.errors import DeltaError, FunctionFailedError, QueryError
from dagster_dfsession.query.result import Result

ROWS: list[dict[str, Any]] = [{"n": 1, "s": "a"}, {"n": 2, "s": None}]
BATCHES = 500


@pytest.fixture
def ctx() -> SessionContext:
    ctx = SessionContext(SessionConfig().with_target_partitions(2))
    ctx.register_record_batches("t", [[pa.RecordBatch.from_pylist(ROWS)]])
    one = [pa.RecordBatch.from_pydict({"n": [n]}) for n in range(BATCHES)]
    ctx.register_record_batches("many", [one])
    return ctx


@pytest.fixture
def result(ctx: SessionContext) -> Result:
    return Result(ctx.sql("SELECT * FROM t"), "reading t")


def calling(ctx: SessionContext, act: Callable[[int], None]) -> DataFrame:
    """A query of many batches whose function acts on each."""
    calls: list[int] = []

    def called(values: "pa.Array[Any]") -> "pa.Array[Any]":
        calls.append(1)
        act(len(calls))
        return pc.add(values, 1)

    ctx.register_udf(udf(called, [pa.int64()], pa.int64(), "volatile", "called"))
    return ctx.sql("SELECT called(n) AS n FROM many")


FORMS: dict[str, Callable[[Result], Any]] = {
    "batches": lambda result: pa.Table.from_batches(list(result)).to_pylist(),
    "reader": lambda result: result.reader().read_all().to_pylist(),
    "table": lambda result: result.to_table().to_pylist(),
    "polars": lambda result: result.to_polars().to_dicts(),
    "pandas": lambda result: pa.Table.from_pandas(result.to_pandas()).to_pylist(),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_rows_are_the_same_in_every_form(result: Result, form: str) -> None:
    assert FORMS[form](result) == ROWS
    assert result.rows == 2


def test_types_are_those_of_the_library(result: Result, ctx: SessionContext) -> None:
    assert isinstance(result.to_polars(), pl.DataFrame)
    assert isinstance(Result(ctx.table("t"), "reading t").to_pandas(), pd.DataFrame)
    assert result.schema.names == ["n", "s"]
    views = Result(ctx.sql("SELECT arrow_cast(s, 'Utf8View') AS s FROM t"), "reading t")
    assert views.to_table().schema.types == [pa.string()]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("now()", pa.timestamp("ns")),
        ("arrow_cast(1, 'UInt64')", pa.uint64()),
        ("NULL", pa.null()),
        ("arrow_cast(['a'], 'List(Utf8View)')", pa.list_(pa.string())),
        ("arrow_cast('a', 'Dictionary(Int32, Utf8)')", pa.string()),
        ("{'k': arrow_cast('a', 'Utf8View')}", pa.struct([("k", pa.string())])),
    ],
)
def test_a_type_that_delta_lacks_can_be_read(
    ctx: SessionContext, value: str, kind: pa.DataType
) -> None:
    frame = ctx.sql(f"SELECT {value} AS x")

    [found] = Result(frame, "reading").to_table().schema.types
    assert str(found).replace(" not null", "") == str(kind)


def test_a_parquet_file_has_all_rows(result: Result, tmp_path: Path) -> None:
    assert result.write_parquet(tmp_path / "t.parquet") == 2

    assert pq.read_table(tmp_path / "t.parquet").to_pylist() == ROWS
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


def test_a_delta_table_is_written_as_assets_are(
    ctx: SessionContext, result: Result, tmp_path: Path
) -> None:
    written = result.write_delta(str(tmp_path / "t"))
    again = Result(ctx.sql("SELECT * FROM t"), "reading t")
    again.write_delta(str(tmp_path / "t"), mode="append")

    assert (written.version, written.rows) == (0, 2)
    assert DeltaTable(str(tmp_path / "t")).to_pyarrow_table().num_rows == 4
    other = Result(ctx.sql("SELECT 1 AS other"), "reading")
    with pytest.raises(DeltaError, match="other"):
        other.write_delta(str(tmp_path / "t"), mode="append")


WRITERS: dict[str, Callable[[Result, Path], Any]] = {
    "parquet": lambda result, place: result.write_parquet(place),
    "delta": lambda result, place: result.write_delta(str(place)),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_query_that_fails_half_way_writes_nothing(
    ctx: SessionContext, tmp_path: Path, writer: str
) -> None:
    def fail(call: int) -> None:
        if call == BATCHES // 2:
            raise RuntimeError("user function 'called' raised on purpose")

    frame = calling(ctx, fail)
    with pytest.raises((QueryError, FunctionFailedError), match="on purpose"):
        WRITERS[writer](Result(frame, "reading"), tmp_path / "out")

    left = [path.name for path in tmp_path.iterdir() if path.is_file()]
    assert left == []
    assert not DeltaTable.is_deltatable(str(tmp_path / "out"))


@pytest.mark.parametrize("form", FORMS)
def test_a_result_that_was_read_says_so(result: Result, form: str) -> None:
    result.to_table()

    with pytest.raises(
        QueryError, match="reading t: the rows of this result were taken"
    ):
        FORMS[form](result)


def test_metrics_tell_what_it_cost(ctx: SessionContext, tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": list(range(10))}), tmp_path / "n.parquet")
    ctx.register_parquet("file", str(tmp_path / "n.parquet"))
    result = Result(ctx.sql("SELECT n FROM file WHERE n > 3"), "reading")
    result.to_table()

    assert result.rows == 6
    assert result.metrics.files_read == 1


def test_a_cancelled_query_has_the_engine_rest_although_the_error_is_kept(
    ctx: SessionContext,
) -> None:
    """Its function runs on the engine's threads: it counts what the engine still does.

    All of them are needed for the first row.
    """
    calls: list[int] = []
    never = threading.Event()

    def act(call: int) -> None:
        calls.append(call)
        never.wait(0.001)
        if call == 5:
            counting.cancel()

    calling(ctx, act)
    grouped = "SELECT called(n) % 7 AS k, count(*) AS n FROM many GROUP BY k"
    counting = Result(ctx.sql(grouped), "counting")
    with pytest.raises(QueryError, match="counting: the query was cancelled") as kept:
        counting.to_table()
    never.wait(BATCHES / 1000)

    assert len(calls) < BATCHES / 2
    assert kept.value.__traceback__ is not None


def test_who_waits_for_a_batch_need_not_wait_for_it_when_it_is_cancelled(
    ctx: SessionContext,
) -> None:
    """The engine is held up until the error is there."""
    reached, released = threading.Event(), threading.Event()

    def hold(_: int) -> None:
        reached.set()
        released.wait(timeout=30)

    result = Result(calling(ctx, hold), "waiting")

    def cancel() -> None:
        reached.wait(timeout=30)
        result.cancel()

    other = threading.Thread(target=cancel)
    other.start()
    with pytest.raises(QueryError, match="waiting: the query was cancelled"):
        result.to_table()
    assert not released.is_set()
    released.set()
    other.join()


def test_before_it_begins_a_query_can_be_cancelled_and_afterwards_too(
    ctx: SessionContext, result: Result
) -> None:
    result.cancel()
    with pytest.raises(QueryError, match="was cancelled"):
        result.to_table()

    done = Result(ctx.sql("SELECT * FROM t"), "reading t")
    found = done.to_table()
    done.cancel()
    assert found.num_rows == 2


def test_leaving_the_block_cancels_what_is_not_read(ctx: SessionContext) -> None:
    calls: list[int] = []
    with Result(calling(ctx, calls.append), "reading") as result:
        batches: Iterator[Any] = iter(result)
        next(batches)

    with pytest.raises(QueryError, match="was cancelled"):
        list(batches)
    assert len(calls) < BATCHES


def test_no_thread_is_left(result: Result) -> None:
    before = {*threading.enumerate()}
    result.to_table()

    for thread in {*threading.enumerate()} - before:
        thread.join(timeout=30)
    assert {*threading.enumerate()} <= before


def test_an_asset_streams_a_query_over_the_tables_of_the_run(
    run: Callable[..., dg.ExecuteInProcessResult], tmp_path: Path
) -> None:
    @dg.asset
    def up() -> pa.Table:
        return pa.table({"n": [1, 2, 3]})

    @dg.asset(deps=[up])
    def down(dfsession: DataFusionSessionResource) -> None:
        query = "SELECT n FROM up WHERE n > $least"
        with dfsession.stream(query, params={"least": 1}) as result:
            result.write_parquet(tmp_path / "n.parquet")

    run(up, down)

    assert pq.read_table(tmp_path / "n.parquet").to_pylist() == [{"n": 2}, {"n": 3}]


def test_a_frame_that_is_streamed_opens_only_the_files_it_needs(
    run: Callable[..., dg.ExecuteInProcessResult],
) -> None:
    opened: list[int] = []

    @dg.asset(metadata={"partition_by": ["k"]})
    def up() -> pa.Table:
        return pa.table({"k": ["a", "b", "c"], "n": [1, 2, 3]})

    @dg.asset(deps=[up])
    def down(dfsession: DataFusionSessionResource) -> None:
        frame = dfsession.table("up").filter("k = 'b'").select("n")
        with dfsession.stream(frame) as result:
            assert result.to_table().to_pydict() == {"n": [2]}
            opened.append(result.metrics.files_read)

    run(up, down)

    assert opened == [1]
