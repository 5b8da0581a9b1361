"""What a write knows of the commits that came between."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.write import write_table

ROWS = pa.table({"a": [1]})


def test_a_write_counts_the_commits_of_others_above_which_it_was_tried_again(
    tmp_path: Path,
) -> None:
    location = Lake(str(tmp_path)).table(["t"])
    append = WriteRequest(location=location, mode="append")
    alone = write_table(append, ROWS.to_reader())

    def interrupted() -> Iterator[pa.RecordBatch]:
        write_table(append, ROWS.to_reader())
        yield from ROWS.to_batches()

    stream = pa.RecordBatchReader.from_batches(ROWS.schema, interrupted())
    late = write_table(append, stream)

    assert alone.retries == 0
    assert late.version == alone.version + 2
    assert late.retries == 1
