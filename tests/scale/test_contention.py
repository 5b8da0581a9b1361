"""What docs/scale.md says of many writers, held against what plays them."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.contention import computed, measure_log, measure_writers, simulate
from dagster_dfsession.delta.location import Location

DOCUMENT = Path(__file__).parents[2] / "docs" / "scale.md"


@settings(max_examples=30)
@given(
    writers=st.integers(1, 40),
    each=st.integers(1, 5),
    max_retries=st.integers(0, 50),
    task_s=st.sampled_from([0, 1]),
)
def test_every_commit_gets_through_or_is_given_up(
    writers: int, each: int, max_retries: int, task_s: int
) -> None:
    played = simulate(
        writers, attempt_s=0.1, task_s=task_s, each=each, max_retries=max_retries
    )

    assert len(played.retries) + played.failed == writers * each
    assert max(played.retries) <= max_retries


def test_tries_without_a_limit_lose_no_commit() -> None:
    assert simulate(200, attempt_s=0.1, max_retries=1000).failed == 0


def test_the_document_has_the_computed_table() -> None:
    text, rows = DOCUMENT.read_text("utf-8"), computed()

    for writers in (10, 100, 1000):
        row = rows[f"{writers} writers, 150 ms"]
        found = re.search(rf"^\| {writers} \| (\d+) \|.*$", text, re.MULTILINE)
        assert found is not None
        numbers = [float(each) for each in re.findall(r"[\d.]+", found[0])]
        assert numbers == [writers, *row.values()]


@pytest.mark.slow
def test_processes_that_commit_at_once_lose_nothing(tmp_path: Path) -> None:
    played = measure_writers(Location(str(tmp_path / "t")), 2)

    assert len(played.retries) + played.failed == 24


def test_a_checkpoint_makes_a_long_log_short(tmp_path: Path) -> None:
    found = measure_log(Location(str(tmp_path / "t")), [200])

    long, short = found["200 commits"], found["200 commits, checkpoint"]
    assert short["open"] < long["open"] / 2
