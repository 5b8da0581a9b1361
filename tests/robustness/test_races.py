"""Processes that write one table at once, on this machine."""

from pathlib import Path

import pytest

from dagster_dfsession.delta.location import Location
from dagster_dfsession.errors import CommitError
from tests.robustness.racing import STREAMED, at_once
from tests.robustness.writing import MODES, Job, content, newest, write


@pytest.fixture
def place(tmp_path: Path) -> Location:
    return Location(str(tmp_path / "t"))


def test_twelve_processes_create_one_partitioned_table(place: Location) -> None:
    jobs = [Job(place, "partition", f"k {n}%", f"token {n}") for n in range(12)]

    # Version 0 is the empty table, which one of them created.
    assert sorted(map(str, at_once(jobs))) == sorted(map(str, range(1, 13)))
    assert content(place) == {(job.k, job.token) for job in jobs}


def test_six_processes_append_to_a_table_that_none_created(place: Location) -> None:
    jobs = [Job(place, "append", "a", f"token {n}") for n in range(6)]

    assert sorted(map(str, at_once(jobs))) == list("123456")
    assert content(place) == {(job.k, job.token) for job in jobs}


@pytest.mark.parametrize("mode", ["partition", "overwrite", "merge"])
def test_of_two_that_replace_the_same_rows_one_is_told_why_not(
    place: Location, mode: str
) -> None:
    write(Job(place, mode, "a", "old"))
    before = newest(place)
    jobs = [Job(place, mode, "a", token) for token in ("one", "two")]

    first, second = at_once(jobs, meet=STREAMED)

    won, lost = (0, second) if isinstance(first, int) else (1, first)
    assert isinstance(lost, CommitError)
    assert "Another run" in str(lost)
    assert "nothing of this run was committed. Run again" in str(lost)
    assert newest(place) == before + 1
    assert content(place) == {("a", jobs[won].token)}


@pytest.mark.parametrize("mode", ["partition", "append"])
def test_two_that_write_other_rows_both_commit(place: Location, mode: str) -> None:
    write(Job(place, mode, "c", "old"))
    jobs = [Job(place, mode, "a", "one"), Job(place, mode, "b", "two")]

    assert sorted(map(str, at_once(jobs, meet=STREAMED))) == ["2", "3"]
    assert content(place) == {("c", "old"), ("a", "one"), ("b", "two")}


@pytest.mark.parametrize("mode", MODES)
def test_two_attempts_of_one_write_commit_once(place: Location, mode: str) -> None:
    write(Job(place, mode, "a", "old"))
    before = newest(place)
    attempt = Job(place, mode, "a", "one", app_id="run/step")

    found = at_once([attempt, attempt], meet=STREAMED)

    assert found == [before + 1, before + 1]
    assert newest(place) == before + 1
    after = {("a", "old"), ("a", "one")} if mode == "append" else {("a", "one")}
    assert content(place) == after
