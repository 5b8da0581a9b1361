"""Steps that fail, and what they leave."""

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from tests.conformance.bench import Asset, Bench
from tests.conformance.outcome import judge_failure, judge_success
from tests.conformance.shapes import SHAPES

STATIC = SHAPES["static, string"]


@pytest.mark.parametrize("shape", ["static, string"])
def test_a_stream_that_breaks_off_leaves_the_old_rows(
    bench: Bench, written: Asset
) -> None:
    rows = written.fresh(0)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from rows.to_batches()
        raise OSError("the source went away")

    def stream() -> Any:
        reader = pa.RecordBatchReader.from_batches(rows.schema, batches())
        return bench.subject.stream(reader)

    if stream() is None:
        pytest.skip("no stream can be returned")
    written.refuses(0, value=stream)


@pytest.mark.parametrize("shape", ["static, string"])
def test_a_column_of_another_type_leaves_the_old_rows(written: Asset) -> None:
    rows = written.fresh(0)
    text = pa.array(["one", "two"])
    written.refuses(0, value=lambda: rows.set_column(1, "run", text))


@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_a_step_that_fails_after_its_write_and_is_tried_again(
    bench: Bench, mode: str
) -> None:
    """Its first output is written twice, its second one once."""
    appending = bench.subject.appending
    if mode == "append" and appending is None:
        pytest.skip("no mode appends")
    keyed = bench.subject.keyed_by(STATIC.expression)
    metadata = {**keyed, **appending} if appending and mode == "append" else keyed
    first, second = bench.asset(STATIC), bench.asset(STATIC)
    rows = first.fresh(0)
    value = bench.subject.value(rows)
    attempts = itertools.count()

    @dg.multi_asset(
        partitions_def=STATIC.definition,
        outs={asset.name: dg.AssetOut(metadata=metadata) for asset in (first, second)},
        retry_policy=dg.RetryPolicy(max_retries=1),
    )
    def both() -> Iterator[dg.Output[Any]]:
        yield dg.Output(value, first.name)
        if next(attempts) == 0:
            raise OSError("the second one could not be had")
        yield dg.Output(value, second.name)

    try:
        bench.materialize(both, keys=STATIC.keys[:1])
    except Exception as error:  # noqa: BLE001 - whatever fails is judged
        judge_failure(error, before=first.rows, found=first.found())
    for asset in (first, second):
        asset.owes(0, rows)
        judge_success(kept=Counter(), due=asset.rows, found=asset.found())
