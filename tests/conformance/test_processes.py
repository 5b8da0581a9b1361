"""Processes that write one table at the same time."""

from collections.abc import Iterator

import pytest

from tests.conformance.bench import Asset, Bench
from tests.conformance.outcome import Fallen, Outcome, judge_success
from tests.conformance.writers import STATIC, Writers

ROUNDS = 3  # two processes do not meet every time


@pytest.fixture(scope="module")
def writers(io_manager_name: str, bench: Bench) -> Iterator[Writers]:
    writers = Writers(io_manager_name, bench.root)
    yield writers
    writers.close()


def test_two_processes_create_the_table(bench: Bench, writers: Writers) -> None:
    for _ in range(ROUNDS):
        meet(bench.asset(STATIC), writers)


def test_two_processes_write_a_key_each(bench: Bench, writers: Writers) -> None:
    asset = bench.asset(STATIC)
    asset.write(0)
    asset.write(1)
    for _ in range(ROUNDS):
        meet(asset, writers)


def meet(asset: Asset, writers: Writers) -> None:
    """Let each process write one key; a refused write leaves its key as it was."""
    refusals = writers.write(asset)
    judge_success(kept=asset.rows, due=asset.rows, found=asset.found())
    if refusals:
        raise Fallen(Outcome.REFUSED, "; ".join(refusals))
