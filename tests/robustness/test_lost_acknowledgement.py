"""A write that committed, whose process died before it could say so, and its retry."""

import multiprocessing
import signal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from dagster_dfsession.delta.location import Location
from tests.robustness.killing import COMMITTED, Moment, kill_writer
from tests.robustness.retrying import attempt, die
from tests.robustness.writing import MODES, Job, content, newest, write

MERGED = {"mode": "merge", "merge": {"kind": "upsert", "on": ["n"]}}


@pytest.mark.parametrize("mode", MODES)
def test_a_retried_write_of_a_dead_process_writes_nothing(
    tmp_path: Path, mode: str
) -> None:
    place = Location(str(tmp_path / "t"))
    write(Job(place, mode, "a", "old"))
    job = Job(place, mode, "a", "new", app_id="run/step")
    kill_writer(job, Moment(COMMITTED, 0))
    committed, before = newest(place), content(place)
    read: list[int] = []

    again = write(job, read.append)

    assert again.already_committed
    assert (again.version, newest(place)) == (committed, committed)
    assert content(place) == before
    assert before is not None
    assert ("a", "new") in before
    assert read == []  # nothing of the stream was computed again


@pytest.mark.parametrize("mode", MODES)
def test_a_retried_write_of_a_process_that_died_early_writes(
    tmp_path: Path, mode: str
) -> None:
    place = Location(str(tmp_path / "t"))
    write(Job(place, mode, "a", "old"))
    before = newest(place)
    job = Job(place, mode, "a", "new", app_id="run/step")
    kill_writer(job, Moment(0, 0))

    again = write(job)

    assert newest(place) == before + 1
    assert not again.already_committed or again.version == before + 1
    assert ("a", "new") in (content(place) or ())


@pytest.mark.slow
@pytest.mark.parametrize(
    "metadata",
    [{"mode": "append"}, {"mode": "overwrite"}, MERGED],
    ids=["append", "overwrite", "merge"],
)
def test_a_retried_step_of_dagster_does_not_write_twice(
    tmp_path: Path, metadata: dict[str, Any]
) -> None:
    root = str(tmp_path / "lake")
    context = multiprocessing.get_context("forkserver")
    killed = context.Process(target=die, args=(root, metadata))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    place = f"{root}/daily"
    version = DeltaTable(place).version()

    result = attempt(root, metadata, dies=False)

    assert result.success
    table = DeltaTable(place)
    rows = pa.table(pa.RecordBatchReader.from_stream(table.scan()))
    assert table.version() == version
    assert (rows.num_rows, set(rows["n"].to_pylist())) == (3, {1, 2, 3})
    [event] = result.asset_materializations_for_node("daily")
    assert event.metadata["dfsession/table_version"].value == version
    assert event.metadata["dagster/row_count"].value == 3
