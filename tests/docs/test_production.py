"""The files of docs/production, as Dagster's own classes for Kubernetes take them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import (
    DagsterK8sJobConfig,
    UserDefinedDagsterK8sConfig,
    construct_dagster_k8s_job,
)

from tests.docs.loading import loaded

PRODUCTION = Path(__file__).parents[2] / "docs" / "production"
# What the chart's schema calls its values, as far as they are used here.
CHART = {
    "computeLogManager",
    "concurrency",
    "dagster-user-deployments",
    "dagsterDaemon",
    "generatePostgresqlPasswordSecret",
    "global",
    "postgresql",
    "runLauncher",
    "telemetry",
}
KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""


def file(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((PRODUCTION / name).read_text("utf-8"))
    return read


def snake(given: Mapping[str, Any]) -> dict[str, Any]:
    """Spell the keys as dagster.yaml does, which the chart writes from its values."""
    return {re.sub("(?=[A-Z])", "_", key).lower(): given[key] for key in given}


@pytest.fixture
def in_kubernetes(monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("DFSESSION_LAKE_ROOT", "s3://bucket/lake")
    location = loaded(PRODUCTION / "definitions.py")
    definitions: dg.Definitions = location.defs()
    return definitions


def test_the_chart_is_told_what_dagster_yaml_says() -> None:
    values, instance = file("values.yaml"), file("dagster.yaml")

    assert set(values) == CHART
    daemon, limits = values["dagsterDaemon"], values["concurrency"]
    assert snake(daemon["runMonitoring"]) == instance["run_monitoring"]
    assert snake(daemon["runRetries"]).items() <= instance["run_retries"].items()
    assert snake(limits["runs"]) == instance["concurrency"]["runs"]
    assert set(snake(limits["pools"])) == set(instance["concurrency"]["pools"])


def test_limits_are_what_their_comments_compute() -> None:
    for name, spelt in {
        "dagster.yaml": "default_limit",
        "values.yaml": "defaultLimit",
    }.items():
        text = (PRODUCTION / name).read_text("utf-8")
        found = re.search(
            rf"floor\((\d+) GiB.*\* 0\.8 / (\d+) GiB.*\n\s*{spelt}: (\d+)", text
        )
        assert found is not None
        memory, session, limit = map(int, found.groups())
        assert limit == int(memory * 0.8 // session)


def test_the_launcher_takes_the_values_and_makes_a_client(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    launcher = file("values.yaml")["runLauncher"]
    assert launcher["type"] == "K8sRunLauncher"
    said = snake(launcher["config"]["k8sRunLauncher"])
    said["run_k8s_config"] = snake(said["run_k8s_config"])
    config = {
        **said,
        # What the chart fills in, and a client that asks nobody where it is.
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "load_incluster_config": False,
        "kubeconfig_file": str(tmp_path / "kubeconfig"),
    }
    (tmp_path / "dagster.yaml").write_text(
        yaml.safe_dump(
            {
                "run_launcher": {
                    "module": "dagster_k8s",
                    "class": "K8sRunLauncher",
                    "config": config,
                }
            }
        )
    )
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        made = instance.run_launcher

    assert isinstance(made, K8sRunLauncher)
    pod: Mapping[str, Any] = made.run_k8s_config
    assert pod["job_spec_config"] == {"ttlSecondsAfterFinished": 86400}


def test_a_step_is_a_pod_with_memory_and_a_directory_to_spill_to(
    in_kubernetes: dg.Definitions,
) -> None:
    job = in_kubernetes.resolve_implicit_global_asset_job_def()
    asked = dg.validate_run_config(job, {})["execution"]["k8s"]["step_k8s_config"]

    manifest = construct_dagster_k8s_job(
        DagsterK8sJobConfig(job_image="lake:1", dagster_home="/dagster"),
        ["dagster", "api", "execute_step"],
        "step",
        UserDefinedDagsterK8sConfig(**asked),
    ).to_dict()

    pod = manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    resources = container["resources"]
    assert resources["requests"]["memory"] == resources["limits"]["memory"] == "8Gi"
    assert {"name": "TMPDIR", "value": "/spill", "value_from": None} in container["env"]
    (mount,), (volume,) = container["volume_mounts"], pod["volumes"]
    assert (mount["name"], mount["mount_path"]) == (volume["name"], "/spill")


def test_elsewhere_a_step_is_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    location = loaded(PRODUCTION / "definitions.py")
    assert location.executor() is dg.multiprocess_executor


def test_the_workspace_names_the_port_of_the_image() -> None:
    (server,) = file("workspace.yaml")["load_from"]
    (deployment,) = file("values.yaml")["dagster-user-deployments"]["deployments"]
    port = server["grpc_server"]["port"]

    command = (PRODUCTION / "Dockerfile").read_text("utf-8").splitlines()[-1]
    assert f'"-p", "{port}", "-f", "definitions.py"' in command
    assert deployment["port"] == port
    assert deployment["codeServerArgs"] == ["-f", "definitions.py"]


def test_every_asset_is_in_the_pool(in_kubernetes: dg.Definitions) -> None:
    assets = [
        each
        for each in in_kubernetes.assets or ()
        if isinstance(each, dg.AssetsDefinition)
    ]
    assert len(assets) == 3
    assert all(each.node_def.pools == {"datafusion"} for each in assets)
