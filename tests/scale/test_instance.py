"""The instance of docs/production/kubernetes.yaml, with all that it names but a cluster.

Postgres and the log manager on S3 are real, and so is Dagster's launcher.
"""

import os
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
import pytest
import yaml
from pyarrow import fs

from tests.docs.loading import loaded
from tests.docs.test_kubernetes import instance as instance_of_the_cluster
from tests.docs.test_production import KUBECONFIG, PRODUCTION
from tests.s3.seaweed import S3Server
from tests.s3.test_production import postgres
from tests.scale.cluster import Cluster, container_of, running_cluster
from tests.scale.running import QUIET, Ran, Runs

pytest.importorskip("dagster_aws", reason="`make scale` has it")
pytestmark = pytest.mark.slow

__all__ = ["postgres"]

IMAGE = "registry.example.com/lake:1"
LONGEST_S = 600


@pytest.fixture
def home(postgres: str, s3: S3Server, tmp_path: Path) -> Path:
    """A directory with that instance as `dagster.yaml`.

    Its launcher is told where the cluster is, as nobody is in one here.
    """
    assert postgres
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    said = instance_of_the_cluster()
    said["run_launcher"]["config"] |= {
        "load_incluster_config": False,
        "kubeconfig_file": str(tmp_path / "kubeconfig"),
    }
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(said))
    s3.files.create_dir(said["compute_logs"]["config"]["bucket"])
    return tmp_path


@pytest.fixture
def cluster(
    environment: Mapping[str, str],
    home: Path,
    root: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cluster]:
    """A stand-in for the cluster, where the first step's first pod is killed."""
    for name, value in {
        "DAGSTER_HOME": str(home),
        "DAGSTER_CURRENT_IMAGE": IMAGE,
        "DFSESSION_LAKE_ROOT": root,
        "DFSESSION_MEMORY_POOL": "64M",
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "PYTHONPATH": environment["PYTHONPATH"],
    }.items():
        monkeypatch.setenv(name, value)
    with running_cluster(home, kill_once="orders") as running:
        told = KUBECONFIG.replace("https://127.0.0.1:1", running.address)
        (home / "kubeconfig").write_text(told)
        # Runs begin at once: there is no daemon that would take them from a queue.
        said = yaml.safe_load((home / "dagster.yaml").read_text())
        del said["concurrency"]["runs"]
        said["run_coordinator"]["class"] = "DefaultRunCoordinator"
        (home / "dagster.yaml").write_text(yaml.safe_dump(said))
        yield running


@pytest.fixture
def instance(
    environment: Mapping[str, str], home: Path
) -> Iterator[dg.DagsterInstance]:
    assert environment["AWS_ENDPOINT_URL"]
    with dg.DagsterInstance.from_config(str(home)) as opened:
        yield opened


def test_dagster_instance_reads_all_of_it(
    environment: Mapping[str, str], home: Path
) -> None:
    info = subprocess.run(
        [Path(sysconfig.get_path("scripts")) / "dagster", "instance", "info"],
        env={**os.environ, **environment, "DAGSTER_HOME": str(home)},
        check=True,
        capture_output=True,
        text=True,
    )

    shown = info.stdout
    for part in ("K8sRunLauncher", "PostgresEventLogStorage"):
        assert part in shown
    assert "max_concurrent_runs: 10" in shown


def test_runs_are_in_its_postgres_and_what_they_print_on_its_s3(
    instance: dg.DagsterInstance,
    s3: S3Server,
    root: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DFSESSION_LAKE_ROOT", root)
    monkeypatch.setenv("DFSESSION_MEMORY_POOL", "64M")
    defs: dg.Definitions = loaded(PRODUCTION / "definitions.py").defs()

    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        run_config=QUIET,
        asset_selection=[dg.AssetKey("orders"), dg.AssetKey("spending")],
    )

    assert result.success
    assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"
    assert [run.run_id for run in instance.get_runs()] == [result.run_id]
    logs = fs.FileSelector("bucket/logs", recursive=True)
    found = [file.path for file in s3.files.get_file_info(logs) if file.is_file]
    assert any(result.run_id in path for path in found)


def test_runs_and_steps_are_pods_and_a_killed_one_is_tried_again(
    cluster: Cluster, home: Path, root: str
) -> None:
    dagster = Path(sysconfig.get_path("scripts")) / "dagster"
    definitions = PRODUCTION / "definitions.py"
    subprocess.run(
        [dagster, "job", "launch", "-f", definitions, "--job", "__ASSET_JOB"],
        check=True,
    )
    with dg.DagsterInstance.from_config(str(home)) as instance:
        ran = when_ended(Runs(instance, root, home))

    assert ran.failures() == []
    assert len(ran.of_type(dg.DagsterEventType.STEP_UP_FOR_RETRY)) == 1
    assert ran.answers()["spending"].to_pylist() == [
        {"customer": "ann", "total": 7.0},
        {"customer": "bob", "total": 5.0},
    ]
    assert len({each["session_hash"] for each in ran.identities().values()}) == 1
    containers = {name: container_of(pod.job) for name, pod in cluster.pods.items()}
    # One for the run, one for each of three steps, and one for the killed one.
    assert len(containers) == 5
    assert len(cluster.killed) == 1
    assert {each["image"] for each in containers.values()} == {IMAGE}
    assert {
        ("step" in name, container["resources"]["limits"]["memory"])
        for name, container in containers.items()
    } == {(True, "8Gi"), (False, "1Gi")}


def when_ended(runs: Runs) -> Ran:
    """Wait until the only run has ended, and return what happened."""
    deadline = time.monotonic() + LONGEST_S
    while True:
        (run,) = runs.instance.get_runs()
        if run.is_finished:
            return runs.ran(run.run_id)
        assert time.monotonic() < deadline, "the run has not come to its end"
        time.sleep(1)
