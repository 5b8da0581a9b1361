"""docs/production/kubernetes.yaml, held against the schemas of Kubernetes and Dagster."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import kubernetes.client
import kubernetes_validate
import pytest
import yaml
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import (
    DagsterK8sJobConfig,
    UserDefinedDagsterK8sConfig,
    construct_dagster_k8s_job,
)

from tests.docs.test_production import KUBECONFIG, PRODUCTION, file

FILE = PRODUCTION / "kubernetes.yaml"
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all(FILE.read_text("utf-8")))
VERSIONS = ("1.33", kubernetes_validate.latest_version())
SECRETS = {"dagster-postgresql", "lake-s3"}
"""Those that docs/production.md makes."""


def named(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in OBJECTS if each["kind"] == kind}


def instance() -> dict[str, Any]:
    text = named("ConfigMap")["dagster-instance"]["data"]["dagster.yaml"]
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def pods() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the spec of each pod with that of its container."""
    for deployment in named("Deployment").values():
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        yield pod, container


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("number", range(len(OBJECTS)))
def test_an_object_is_one_of_kubernetes(number: int, version: str) -> None:
    kubernetes_validate.validate(OBJECTS[number], version, strict=True)


def test_a_misspelt_field_would_be_noticed() -> None:
    (deployment, *_) = named("Deployment").values()
    deployment = json.loads(json.dumps(deployment))
    deployment["spec"]["template"]["spec"]["container"] = []

    with pytest.raises(kubernetes_validate.ValidationError, match="container"):
        kubernetes_validate.validate(deployment, VERSIONS[0], strict=True)


def test_the_instance_is_that_of_one_machine_but_for_what_the_cluster_adds() -> None:
    here, machine = instance(), file("dagster.yaml")

    assert set(here) - set(machine) == {"run_launcher", "compute_logs"}
    assert here["concurrency"]["pools"].pop("default_limit") == int(96 * 0.8 // 8)
    del machine["concurrency"]["pools"]["default_limit"]
    assert {key: here[key] for key in machine} == machine


def test_every_name_is_that_of_something_there() -> None:
    maps, accounts = named("ConfigMap"), named("ServiceAccount")
    for pod, container in pods():
        assert pod["serviceAccountName"] in accounts
        for source in container["envFrom"]:
            if "secretRef" in source:
                assert source["secretRef"]["name"] in SECRETS
            else:
                assert source["configMapRef"]["name"] in maps
        volumes = {each["name"]: each["configMap"]["name"] for each in pod["volumes"]}
        for mount in container["volumeMounts"]:
            assert mount["subPath"] in maps[volumes[mount["name"]]]["data"]
    for deployment in named("Deployment").values():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == labels
        assert deployment["metadata"]["name"] == labels["app"]
    for service in named("Service").values():
        assert service["spec"]["selector"]["app"] in named("Deployment")


def test_page_and_daemon_ask_the_code_server_by_its_service() -> None:
    text = named("ConfigMap")["dagster-instance"]["data"]["workspace.yaml"]
    (server,) = yaml.safe_load(text)["load_from"]
    service = named("Service")[server["grpc_server"]["host"]]

    (port,) = service["spec"]["ports"]
    assert server["grpc_server"]["port"] == port["port"]
    command = (PRODUCTION / "Dockerfile").read_text("utf-8").splitlines()[-1]
    assert f'"-p", "{port["port"]}"' in command


def test_every_image_is_that_of_the_code() -> None:
    images = {container["image"] for _, container in pods()}
    (code,) = (each for _, each in pods() if each["name"] == "code")
    current = {each["name"]: each["value"] for each in code["env"]}

    assert images == {current["DAGSTER_CURRENT_IMAGE"]}


def launcher(directory: Path) -> K8sRunLauncher:
    """Return the launcher of the instance, with a client that asks nobody.

    Dagster reads all of the instance's config, but for what needs a server or a
    package that this environment has not.
    """
    (directory / "kubeconfig").write_text(KUBECONFIG)
    said = instance()
    del said["storage"], said["compute_logs"]
    said["run_launcher"]["config"] |= {
        "load_incluster_config": False,
        "kubeconfig_file": str(directory / "kubeconfig"),
    }
    (directory / "dagster.yaml").write_text(yaml.safe_dump(said))
    with dg.DagsterInstance.from_config(str(directory)) as opened:
        made = opened.run_launcher
    assert isinstance(made, K8sRunLauncher)
    return made


def test_the_pod_of_a_run_has_the_lake_and_the_secrets(
    tmp_path: Path,
) -> None:
    made = launcher(tmp_path)
    asked: dict[str, Any] = dict(made.run_k8s_config)

    job = construct_dagster_k8s_job(
        DagsterK8sJobConfig(
            job_image="lake:1",
            dagster_home=made.dagster_home,
            image_pull_policy=made.image_pull_policy,
            service_account_name=made.service_account_name,
            instance_config_map=made.instance_config_map,
            env_config_maps=made.env_config_maps,
            env_secrets=made.env_secrets,
        ),
        ["dagster", "api", "execute_run"],
        "run",
        UserDefinedDagsterK8sConfig(**asked),
    )

    plain = kubernetes.client.ApiClient().sanitize_for_serialization(job)
    for version in VERSIONS:
        kubernetes_validate.validate(plain, version, strict=True)
    (container,) = plain["spec"]["template"]["spec"]["containers"]
    assert {
        source["name"] for each in container["envFrom"] for source in each.values()
    } == {"lake", *SECRETS}
    # Dagster hands over the instance itself; its directory is one of the image.
    assert {"name": "DAGSTER_HOME", "value": "/dagster_home"} in container["env"]
    image = (PRODUCTION / "Dockerfile").read_text("utf-8")
    assert "install -d -o dagster /dagster_home" in image


def test_who_launches_may_do_what_the_launcher_asks_of_the_cluster() -> None:
    role = named("Role")["dagster"]
    allowed = {
        (resource, verb)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }

    assert {("jobs", "create"), ("jobs", "delete"), ("jobs/status", "get")} <= allowed
    assert {("pods", "list"), ("pods/log", "get"), ("events", "list")} <= allowed
    (binding,) = named("RoleBinding").values()
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert {each["name"] for each in binding["subjects"]} == set(
        named("ServiceAccount")
    )
