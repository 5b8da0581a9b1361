"""Steps in processes of this machine, with the tables on an S3 server."""

import dagster as dg
import pytest

from tests.scale.conftest import ALL, TABLES
from tests.scale.location import DAYS
from tests.scale.running import PLACES, Runs, rows_of

pytestmark = pytest.mark.slow


def test_partitions_that_runs_write_at_once_are_all_there(runs: Runs) -> None:
    days = DAYS.get_partition_keys()[:2]

    ran = runs.days(days, "multi")

    assert [each.failures() for each in ran] == [[]] * len(ran)
    assert len(set.union(*(each.processes() for each in ran))) == len(days)
    assert runs.rows() == rows_of(days)
    assert runs.versions() == len(days)


@pytest.mark.skipif(not ALL, reason="`make scale` runs it: a process for each of 30")
def test_the_graph_of_tpch_is_the_same_in_every_process(tpch: Runs) -> None:
    alone = tpch.run("tpch", "in_process")
    spread = tpch.run("tpch", "multi")

    assert len(spread.processes()) == TABLES
    assert len(alone.answers()) == TABLES
    assert spread.differences(alone) == []


@pytest.mark.parametrize("place", PLACES)
def test_a_step_whose_process_is_killed_is_tried_again_by_its_retry_policy(
    runs: Runs, place: str
) -> None:
    ran, killed = runs.day_while_its_worker_is_killed("d1", "multi", place=place)

    assert ran.failures() == []
    (again,) = ran.of_type(dg.DagsterEventType.STEP_UP_FOR_RETRY)
    assert again.step_key == "measured"
    assert killed in ran.processes()
    assert len(ran.processes()) == 2
    assert runs.rows() == rows_of(["d1"])
    assert runs.versions() == 1
