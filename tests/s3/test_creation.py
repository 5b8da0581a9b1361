"""Processes that write one table at once, on an object store."""

import pytest

from dagster_dfsession.delta.location import Lake
from dagster_dfsession.errors import CommitError
from tests.robustness.racing import STREAMED, at_once
from tests.robustness.writing import Job, content, newest, write
from tests.s3.seaweed import ACCESS_KEY, SECRET_KEY


@pytest.mark.slow
def test_twelve_processes_create_one_partitioned_table(s3_lake: Lake) -> None:
    place = s3_lake.table(["raw", "t"])
    jobs = [Job(place, "partition", f"k {n}%", f"token {n}") for n in range(12)]

    # Version 0 is the empty table, which one of them created.
    assert sorted(map(str, at_once(jobs))) == sorted(map(str, range(1, 13)))
    assert content(place) == {(job.k, job.token) for job in jobs}


def test_of_two_that_replace_one_partition_one_is_told_why_not(s3_lake: Lake) -> None:
    place = s3_lake.table(["t"])
    write(Job(place, "partition", "a", "old"))
    jobs = [Job(place, "partition", "a", token) for token in ("one", "two")]

    first, second = at_once(jobs, meet=STREAMED)

    won, lost = (0, second) if isinstance(first, int) else (1, first)
    assert isinstance(lost, CommitError)
    assert "Another run" in str(lost)
    assert ACCESS_KEY not in str(lost)
    assert SECRET_KEY not in str(lost)
    assert newest(place) == 2
    assert content(place) == {("a", jobs[won].token)}


def test_two_that_write_other_partitions_both_commit(s3_lake: Lake) -> None:
    place = s3_lake.table(["t"])
    write(Job(place, "partition", "c", "old"))
    jobs = [Job(place, "partition", k, k) for k in ("a", "b")]

    assert sorted(map(str, at_once(jobs, meet=STREAMED))) == ["2", "3"]
    assert content(place) == {("c", "old"), ("a", "a"), ("b", "b")}
