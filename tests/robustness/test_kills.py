"""Writers killed at random moments, locally; `benchmarks.kills` kills many more."""

import random
from pathlib import Path

import pytest
from deltalake import DeltaTable

from dagster_dfsession.delta.location import Location
from tests.robustness.killing import Table, commit_seconds
from tests.robustness.writing import MODES, Job, content, write

KILLS = 3


@pytest.mark.parametrize("mode", MODES)
def test_a_killed_write_is_whole_or_not_there(tmp_path: Path, mode: str) -> None:
    commit_s = commit_seconds(Location(str(tmp_path / "measured")), mode)
    table = Table(Location(str(tmp_path / "t")), mode, random.Random())  # noqa: S311

    for _ in range(KILLS):
        outcome = table.kill(commit_s)
        assert outcome.half == 0, outcome
        assert outcome.next_run_succeeded, outcome
        assert outcome.removed == outcome.orphans, outcome
        assert (outcome.left_over, outcome.in_log) == (0, 0), outcome


@pytest.mark.parametrize("change", ["n = 7", "n % 2 = 1"])
def test_a_part_of_a_write_would_be_noticed(tmp_path: Path, change: str) -> None:
    place = Location(str(tmp_path / "t"))
    write(Job(place, "append", "a", "first"))
    assert content(place) == {("a", "first")}

    DeltaTable(place.uri).delete(change)
    assert content(place) is None
