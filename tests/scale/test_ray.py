"""Steps as jobs of Ray, on loopback; `make scale` has an environment for them."""

import json
import os
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.s3.seaweed import free_ports
from tests.scale import launched
from tests.scale.conftest import TABLES
from tests.scale.location import DAYS, MONTHS
from tests.scale.running import PLACES, Ran, Runs, rows_of

submission = pytest.importorskip("ray.job_submission")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

START_S = 300
BACKFILL_S = 600
STEP_START = dg.DagsterEventType.STEP_START
LOOPBACK = {
    # Otherwise Ray takes 127.0.0.1 for the address of this machine in its network.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    # It gives up on itself after 30 s, which a busy machine may need.
    "RAY_agent_register_timeout_ms": str(START_S * 1000),
    "RAY_raylet_start_wait_time_s": str(START_S),
}


@pytest.fixture(scope="module")
def ray(environment: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """A Ray of this module alone; yields the config of the executor."""
    scripts = sysconfig.get_path("scripts")
    # Steps are commands of Dagster's, which Ray looks for on the path.
    path = os.pathsep.join([scripts, environment["PATH"]])
    port, dashboard, agent = free_ports(3)
    address = f"http://127.0.0.1:{dashboard}"
    with (
        pytest.MonkeyPatch.context() as patch,
        # Its sockets are below it, whose paths may have 107 characters.
        tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as home,
    ):
        for name, value in LOOPBACK.items():
            patch.setenv(name, value)
        head = subprocess.Popen(
            [
                *(Path(scripts) / "ray", "start", "--head", "--block"),
                *("--disable-usage-stats", "--dashboard-host=127.0.0.1"),
                *(f"--port={port}", f"--dashboard-port={dashboard}"),
                f"--dashboard-agent-listen-port={agent}",
                *("--num-cpus=4", f"--object-store-memory={10**8}"),
                f"--temp-dir={home}",
            ],
            env=dict(environment) | LOOPBACK | {"PATH": path},
        )
        try:
            wait_until_it_runs_jobs(address, head)
            yield {"ray": {"address": address, "num_cpus": 1}}
        finally:
            head.terminate()
            head.wait()


def wait_until_it_runs_jobs(address: str, head: "subprocess.Popen[bytes]") -> None:
    """Submit a job, again and again until that works."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            submission.JobSubmissionClient(address).submit_job(entrypoint="true")
        except (ConnectionError, RuntimeError):
            assert head.poll() is None, "Ray has ended"
            assert time.monotonic() < deadline, "Ray takes no jobs"
            time.sleep(1)
        else:
            return


def test_the_graph_of_tpch_is_the_same_in_every_process(
    tpch: Runs, ray: dict[str, Any]
) -> None:
    alone = tpch.run("tpch", "in_process")
    spread = tpch.run("tpch", "ray", ray)

    assert len(spread.processes()) == TABLES
    assert len(alone.answers()) == TABLES
    assert spread.differences(alone) == []


def test_the_demo_is_the_same_in_every_process(runs: Runs, ray: dict[str, Any]) -> None:
    alone = runs.run("demo", "in_process", tags=MONTHS)
    spread = runs.run("demo", "ray", ray, tags=MONTHS)

    # Some steps are checks.
    assert len(spread.processes()) == len(alone.of_type(STEP_START))
    assert len(alone.answers()) == 12
    assert spread.differences(alone) == []


def test_partitions_that_jobs_write_at_once_are_all_there(
    runs: Runs, ray: dict[str, Any]
) -> None:
    days = DAYS.get_partition_keys()

    ran = runs.days(days, "ray", ray)

    assert [each.failures() for each in ran] == [[]] * len(ran)
    assert runs.rows() == rows_of(days)
    assert runs.versions() == len(days)


@pytest.mark.parametrize("place", PLACES)
def test_a_step_whose_job_is_killed_is_tried_again_by_its_retry_policy(
    runs: Runs, ray: dict[str, Any], place: str
) -> None:
    ran, killed = runs.day_while_its_worker_is_killed("d1", "ray", ray, place=place)

    assert ran.failures() == []
    assert len(ran.of_type(dg.DagsterEventType.STEP_UP_FOR_RETRY)) == 1
    assert killed not in {
        each.pid for each in ran.of_type(dg.DagsterEventType.STEP_SUCCESS)
    }
    assert runs.rows() == rows_of(["d1"])
    assert runs.versions() == 1


def backfill(runs: Runs, address: str, days: Sequence[str]) -> list[Ran]:
    """Launch a run for each partition as a job of Ray; wait until all have ended.

    Dagster's command does it, with an instance of which each run knows.
    """
    where = {launched.ROOT: runs.root, launched.HOME: str(runs.home)}
    said = {"address": address, "env_vars": [f"{k}={v}" for k, v in where.items()]}
    home = runs.home / "launching"
    home.mkdir()
    # Every JSON is a YAML.
    (home / "dagster.yaml").write_text(
        json.dumps(
            {
                "run_launcher": {
                    "module": "dagster_ray",
                    "class": "RayRunLauncher",
                    "config": {"ray": said},
                },
                "run_coordinator": {
                    "module": "dagster.core.run_coordinator",
                    "class": "DefaultRunCoordinator",
                },
                "telemetry": {"enabled": False},
            }
        )
    )
    subprocess.run(
        [
            *(Path(sysconfig.get_path("scripts")) / "dagster", "job", "backfill"),
            *("--module-name", launched.__name__, "--job", "everything"),
            *("--partitions", ",".join(days), "--noprompt"),
        ],
        env=os.environ | where | {"DAGSTER_HOME": str(home)},
        check=True,
    )
    with dg.DagsterInstance.from_config(str(home)) as instance:
        deadline = time.monotonic() + BACKFILL_S
        while not all(each.is_finished for each in instance.get_runs()):
            assert time.monotonic() < deadline, "the runs have not come to their end"
            time.sleep(1)
        there = runs._replace(instance=instance)
        return [there.ran(each.run_id) for each in instance.get_runs()]


def test_runs_of_a_backfill_are_jobs_too(runs: Runs, ray: dict[str, Any]) -> None:
    days, address = DAYS.get_partition_keys(), ray["ray"]["address"]

    ran = backfill(runs, address, days)

    jobs = submission.JobSubmissionClient(address).list_jobs()
    names = [each.submission_id or "" for each in jobs]
    assert sum(name.startswith("dagster-run-") for name in names) == len(days)
    assert [each.failures() for each in ran] == [[]] * len(days)
    steps = [each.processes() for each in ran]
    assert len(set.union(*steps)) == len(days)
    assert runs.rows() == rows_of(days)
    assert runs.versions() == len(days)
    made = {key: found for each in ran for key, found in each.identities().items()}
    assert {partition for _, partition in made} == set(days)
    assert len({each["session_hash"] for each in made.values()}) == 1
