"""What was made of changes is committed by whoever's turn it is."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from dagster_dfsession.delta.location import Location, open_table
from dagster_dfsession.delta.request import WriteRequest
from dagster_dfsession.delta.turns import turn_of, turns_taken
from dagster_dfsession.delta.write import write_table
from dagster_dfsession.errors import CommitError
from tests.delta.writing import rows_of, write

TURN = turn_of("down", "up")


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_each_turn_is_taken_once(place: Location, mode: Any) -> None:
    for taken in range(3):
        write(place, {"x": [taken]}, mode=mode, turns={TURN: taken})
        with pytest.raises(CommitError, match="committed the same changes") as refused:
            write(place, {"x": [9]}, mode=mode, turns={TURN: taken})
        assert f"is {taken + 1}, and was {taken})" in str(refused.value)

    expected = range(3) if mode == "append" else [2]
    assert rows_of(place) == [{"x": x} for x in expected]
    assert turns_taken(open_table(place), place, [TURN]) == {TURN: 3}


def test_a_turn_that_is_taken_while_the_rows_come_is_over(place: Location) -> None:
    write(place, {"x": [0]})

    def batches() -> Iterator[pa.RecordBatch]:
        write(place, {"x": [1]}, mode="append", turns={TURN: 0})
        yield pa.record_batch({"x": [1]})

    stream = pa.RecordBatchReader.from_batches(pa.table({"x": [0]}).schema, batches())
    request = WriteRequest(location=place, mode="append", turns={TURN: 0})
    with pytest.raises(CommitError, match="committed the same changes"):
        write_table(request, stream)
    assert rows_of(place) == [{"x": 0}, {"x": 1}]


def test_partitions_have_turns_of_their_own(place: Location) -> None:
    turns = [turn_of("down", "up", key) for key in ("a", "b", "")]
    assert len(set(turns)) == 3
    for turn in turns:
        write(place, {"x": [1]}, mode="append", turns={turn: 0})
    assert len(rows_of(place)) == 3
