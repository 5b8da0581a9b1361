from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from polars.io.plugins import register_io_source

Run = Callable[..., dg.ExecuteInProcessResult]
Rows = Callable[..., list[dict[str, Any]]]

ROWS = 20_000
BATCHES = 40
SCHEMA = pa.schema({"k": pa.string()}).append(pa.field("n", pa.int64()))
STATIC = dg.StaticPartitionsDefinition(["a", "b"])


class Source:
    """Batches on demand; notes how many bytes of them were alive at most."""

    def __init__(self, batches: int = BATCHES, *, fails: bool = False) -> None:
        self.most = 0
        self.handed_out = 0
        self._batches = batches
        self._fails = fails

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(SCHEMA, self._each())

    def _each(self) -> Iterator[pa.RecordBatch]:
        before = pa.total_allocated_bytes()
        for at in range(self._batches):
            yield batch(at)
            self.handed_out += 1
            self.most = max(self.most, pa.total_allocated_bytes() - before)
        if self._fails:
            raise OSError("the line went dead")


def batch(at: int = 0) -> pa.RecordBatch:
    keys: list[Any] = ["a"] * ROWS
    return pa.record_batch({"k": keys, "n": range(at, at + ROWS)}, schema=SCHEMA)


def batch_bytes() -> int:
    return batch().nbytes


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="whole"),
        pytest.param({"partitions_def": STATIC}, id="partitioned"),
    ],
)
def test_a_reader_is_written_without_being_collected(
    run: Run, lake: Path, options: dict[str, Any]
) -> None:
    source = Source()

    def flow() -> pa.RecordBatchReader:
        return source.reader()

    asset = dg.asset(flow, metadata={"partition_expr": "k"}, **options)
    run(asset, key="a" if options else None)

    assert DeltaTable(str(lake / "flow")).count() == ROWS * BATCHES
    assert source.handed_out == BATCHES
    assert source.most < 12 * batch_bytes()


def test_a_stream_that_breaks_off_leaves_the_table_as_it_was(
    run: Run, rows: Rows, lake: Path
) -> None:
    good, bad = Source(1), Source(3, fails=True)
    sources = [good, bad]

    @dg.asset
    def flow() -> pa.RecordBatchReader:
        return sources.pop(0).reader()

    run(flow)
    before = DeltaTable(str(lake / "flow"))
    with pytest.raises(OSError, match="the line went dead"):
        run(flow)

    assert bad.handed_out == 3
    assert DeltaTable(str(lake / "flow")).version() == before.version() == 0
    assert len(rows("flow")) == ROWS


def test_a_polars_lazy_frame_is_written_without_being_collected(
    run: Run, lake: Path
) -> None:
    """Its batches share the memory of Arrow's, so that they can be counted."""
    source = Source()

    def scan(*_: Any) -> Iterator[Any]:
        for each in source.reader():
            yield pl.from_arrow(pa.Table.from_batches([each]).select(["n"]))

    @dg.asset
    def flow() -> pl.LazyFrame:
        return register_io_source(scan, schema={"n": pl.Int64})

    run(flow)

    assert DeltaTable(str(lake / "flow")).count() == ROWS * BATCHES
    assert source.most < BATCHES // 2 * batch_bytes()


def test_an_input_as_a_reader_is_read_as_far_as_it_is_asked_for(run: Run) -> None:
    """Nothing runs before the first batch is asked for, and not all of it then."""
    seen: list[int] = []

    @dg.asset
    def up() -> pa.Table:
        return pa.table({"n": pa.array(range(500_000))})

    @dg.asset
    def down(up: pa.RecordBatchReader) -> None:
        seen.append(up.read_next_batch().num_rows)

    run(up, down, session={"profile": {"execution": {"batch_size": 1000}}})

    assert seen == [1000]
