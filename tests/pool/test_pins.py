"""One version of a table for a run, whichever of its processes asks first."""

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from dagster_dfsession.delta.files import LakeFiles
from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import DeltaError
from dagster_dfsession.pool.pins import PINS, RunPins, remove_pins, stale_pins

KEY = ["raw", "flights"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def commit(lake: Lake) -> None:
    write_deltalake(lake.table(KEY).uri, pa.table({"a": [1]}), mode="append")


def read(lake: Lake, pins: RunPins) -> int | None:
    table = pins.open(lake, lake.table(KEY))
    return None if table is None else table.version()


def process(run_id: str = "one") -> RunPins:
    """What a process of a run knows when it starts."""
    return RunPins(run_id, shared=True)


def commit_and_read(root: str) -> int | None:
    lake = Lake(root)
    commit(lake)
    return read(lake, process())


def test_another_process_of_the_run_reads_what_the_first_one_pinned(lake: Lake) -> None:
    commit(lake)
    assert read(lake, process()) == 0
    commit(lake)

    assert read(lake, process()) == 0
    assert read(lake, process("two")) == 1


def test_pins_that_are_not_shared_leave_no_file(lake: Lake) -> None:
    commit(lake)
    pins = RunPins("one")
    read(lake, pins)
    pins.written(lake, lake.table(KEY), 0)

    assert LakeFiles(lake.root).list(PINS) == ()


@pytest.mark.parametrize("shared", [False, True])
def test_a_written_table_is_read_as_written_although_others_write_on(
    lake: Lake, *, shared: bool
) -> None:
    commit(lake)
    pins = RunPins("one", shared=shared)
    read(lake, pins)
    commit(lake)
    pins.written(lake, lake.table(KEY), 1)
    commit(lake)

    assert read(lake, pins) == 1
    assert not shared or read(lake, process()) == 1


def test_a_pin_never_goes_back(lake: Lake) -> None:
    for _ in range(3):
        commit(lake)
    process().written(lake, lake.table(KEY), 2)
    process().written(lake, lake.table(KEY), 1)

    assert read(lake, process()) == 2


def test_a_table_that_is_not_there_is_not_pinned(lake: Lake) -> None:
    assert read(lake, process()) is None
    commit(lake)

    assert read(lake, process()) == 0


def test_a_pinned_version_that_is_gone_is_an_error_and_no_other_version(
    lake: Lake,
) -> None:
    commit(lake)
    process().written(lake, lake.table(KEY), 7)

    with pytest.raises(DeltaError, match="The table has no such version"):
        read(lake, process())


def test_threads_that_pin_at_once_agree(lake: Lake) -> None:
    """While others commit, so that each of them finds another newest version."""
    commit(lake)
    start = threading.Barrier(12)

    def one(number: int) -> int | None:
        start.wait()
        for _ in range(number % 4):
            commit(lake)
        return read(lake, process())

    with ThreadPoolExecutor(12) as threads:
        assert len(set(threads.map(one, range(12)))) == 1


@pytest.mark.slow
def test_processes_that_pin_at_once_agree(lake: Lake) -> None:
    commit(lake)
    started = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=started) as processes:
        read_by = set(processes.map(commit_and_read, [lake.root.uri] * 8))

    assert len(read_by) == 1


def test_writers_that_pin_at_once_leave_the_newest(lake: Lake) -> None:
    for _ in range(6):
        commit(lake)

    def one(version: int) -> None:
        process().written(lake, lake.table(KEY), version)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(one, range(6)))

    assert read(lake, process()) == 5


@pytest.mark.parametrize(
    ("over", "stale"),
    [
        (lambda _: True, ("one", "two")),
        (lambda run: run == "two", ("two",)),
        (lambda _: False, ()),
    ],
)
def test_pins_are_stale_once_their_run_is_over(
    lake: Lake, over: Callable[[str], bool], stale: tuple[str, ...]
) -> None:
    commit(lake)
    read(lake, process("one"))
    read(lake, process("two"))

    assert stale_pins(LakeFiles(lake.root), over) == stale


def test_pins_of_one_run_are_removed_and_no_others(lake: Lake) -> None:
    files = LakeFiles(lake.root)
    commit(lake)
    read(lake, process("one"))
    read(lake, process("two"))

    assert remove_pins(files, "one") == 1
    assert remove_pins(files, "one") == 0
    assert stale_pins(files, lambda _: True) == ("two",)
