"""Steps in processes of this machine, with the tables on an S3 server."""

import dagster as dg
import pytest

from tests.scale.location import DAYS
from tests.scale.running import Runs, rows_of

pytestmark = pytest.mark.slow


def test_partitions_that_runs_write_at_once_are_all_there(runs: Runs) -> None:
    days = DAYS.get_partition_keys()[:2]

    ran = runs.days(days, "multi")

    assert [each.failures() for each in ran] == [[]] * len(ran)
    assert len(set.union(*(each.processes() for each in ran))) == len(days)
    assert runs.rows() == rows_of(days)
    assert runs.versions() == len(days)


def test_a_step_whose_process_is_killed_is_tried_again_by_its_retry_policy(
    runs: Runs,
) -> None:
    ran, killed = runs.day_while_its_worker_is_killed("d1", "multi")

    assert ran.failures() == []
    (again,) = ran.of_type(dg.DagsterEventType.STEP_UP_FOR_RETRY)
    assert again.step_key == "measured"
    assert killed in ran.processes()
    assert len(ran.processes()) == 2
    assert runs.rows() == rows_of(["d1"])
    assert runs.versions() == 1
