"""Steps on a Dask cluster of several processes, with the tables on an S3 server."""

from typing import Any

import dagster as dg
import pytest
from dask.distributed import LocalCluster

from tests.scale.conftest import ALL, TABLES
from tests.scale.location import DAYS, MONTHS
from tests.scale.running import PLACES, Runs, rows_of

pytestmark = pytest.mark.slow


def on(cluster: LocalCluster) -> dict[str, Any]:
    return {"cluster": {"existing": {"address": cluster.scheduler_address}}}


def test_the_graph_of_tpch_is_the_same_in_every_process(
    tpch: Runs, dask: LocalCluster
) -> None:
    alone = tpch.run("tpch", "in_process")
    spread = tpch.run("tpch", "dask", on(dask))

    assert len(alone.processes()) == 1
    assert len(spread.processes()) == 2
    assert len(alone.answers()) == TABLES
    assert spread.differences(alone) == []
    assert len({each["session_hash"] for each in spread.identities().values()}) == 1


@pytest.mark.skipif(not ALL, reason="`make scale` runs it")
def test_the_demo_is_the_same_in_every_process(runs: Runs, dask: LocalCluster) -> None:
    alone = runs.run("demo", "in_process", tags=MONTHS)
    spread = runs.run("demo", "dask", on(dask), tags=MONTHS)

    assert len(spread.processes()) == 2
    assert len(alone.answers()) == 12
    assert spread.differences(alone) == []


def test_partitions_that_workers_write_at_once_are_all_there(
    runs: Runs, dask: LocalCluster
) -> None:
    days = DAYS.get_partition_keys()

    ran = runs.days(days, "dask", on(dask), own_names=True)

    assert [each.failures() for each in ran] == [[]] * len(ran)
    assert len(set.union(*(each.processes() for each in ran))) == 2
    assert runs.rows() == rows_of(days)
    assert runs.versions() == len(days)


@pytest.mark.parametrize("place", PLACES)
def test_a_step_whose_worker_is_killed_is_done_by_another(
    runs: Runs, dask: LocalCluster, place: str
) -> None:
    workers = {nanny.pid for nanny in dask.workers.values()}

    ran, killed = runs.day_while_its_worker_is_killed(
        "d1", "dask", on(dask), place=place
    )

    assert killed in workers
    assert ran.failures() == []
    assert len(ran.of_type(dg.DagsterEventType.STEP_START)) == 2
    assert len(ran.processes()) == 2
    assert runs.rows() == rows_of(["d1"])
    assert runs.versions() == 1


def test_runs_of_one_job_at_once_on_one_cluster_share_a_step(
    runs: Runs, dask: LocalCluster
) -> None:
    """Why docs/scale.md asks for a name for each: Dask's keys have no run in them."""
    ran = runs.days(["d0", "d1", "d2"], "dask", on(dask))

    assert [each.failures() for each in ran] == [[]] * len(ran)
    assert len(runs.rows()) < len(rows_of(["d0", "d1", "d2"]))
