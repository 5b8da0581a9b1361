"""A stand-in for a Kubernetes cluster: what it is asked to run becomes a process here.

It knows jobs alone, each of one container. Every job is held against the schemas of
Kubernetes before it runs.
"""

import contextlib
import json
import os
import subprocess
import sysconfig
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import kubernetes_validate

from tests.docs.test_kubernetes import VERSIONS

JOBS = "/apis/batch/v1/namespaces/dagster/jobs"


class Pod(NamedTuple):
    """A job, and the process that runs it."""

    job: dict[str, Any]
    process: "subprocess.Popen[bytes]"

    def shown(self) -> dict[str, Any]:
        """Return the job with its status."""
        code = self.process.poll()
        state = "active" if code is None else "failed" if code else "succeeded"
        return {**self.job, "status": {state: 1}}


def container_of(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the only container of a job."""
    (found,) = job["spec"]["template"]["spec"]["containers"]
    return dict(found)


class Cluster:
    """Where the stand-in listens, and what it has run so far."""

    def __init__(self, home: Path, kill_once: str) -> None:
        """Begin to listen.

        Args:
            home: What is the instance's directory to the processes; their volumes and
                what they print are below it.
            kill_once: The first pod whose labels name this step is killed at once.
        """
        self.home, self.pods = home, dict[str, Pod]()
        self.killed: list[str] = []
        self._kill_once = kill_once
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))

    @property
    def address(self) -> str:
        """What a kubeconfig calls the server."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def create(self, job: dict[str, Any]) -> Pod:
        """Run a job.

        Raises:
            ValidationError: It is none of Kubernetes.
        """
        for version in VERSIONS:
            kubernetes_validate.validate(job, version, strict=True)
        name = job["metadata"]["name"]
        container = container_of(job)
        with (self.home / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                container["args"],
                env=self._environment(name, container),
                stdout=log,
                stderr=log,
            )
        if job["metadata"]["labels"].get("dagster/op") == self._kill_once:
            self._kill_once = ""
            self.killed.append(name)
            process.kill()
        self.pods[name] = Pod(job, process)
        return self.pods[name]

    def _environment(
        self, name: str, container: Mapping[str, Any]
    ) -> Mapping[str, str]:
        """Return this process's variables and the pod's, with paths of this machine.

        Config maps and secrets are variables of this process already.
        """
        places = {"/dagster_home": self.home}
        for mount in container.get("volumeMounts", ()):
            if mount["name"] == "spill":
                places[mount["mountPath"]] = self.home / name
                (self.home / name).mkdir()
        said = {each["name"]: each["value"] for each in container["env"]}
        own = {key: str(places.get(value, value)) for key, value in said.items()}
        path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
        return {**os.environ, **own, "PATH": path}


def _handler(cluster: Cluster) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            job = json.loads(self.rfile.read(length))
            try:
                pod = cluster.create(job)
            except kubernetes_validate.ValidationError as error:
                self._answer(422, {"message": str(error)})
            else:
                self._answer(201, pod.shown())

        def do_GET(self) -> None:
            path = self.path.removesuffix("/status")
            place, _, name = path.rpartition("/")
            if place == JOBS and name in cluster.pods:
                self._answer(200, cluster.pods[name].shown())
            else:
                self._answer(404, {"message": f"there is no {self.path}"})

        def log_message(self, *_: Any) -> None: ...

        def _answer(self, code: int, body: Mapping[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    return Handler


@contextlib.contextmanager
def running_cluster(home: Path, *, kill_once: str) -> Iterator[Cluster]:
    """Start a cluster; at the end, kill what it still runs."""
    cluster = Cluster(home, kill_once)
    thread = threading.Thread(target=cluster.server.serve_forever)
    thread.start()
    try:
        yield cluster
    finally:
        cluster.server.shutdown()
        thread.join()
        cluster.server.server_close()
        for pod in cluster.pods.values():
            pod.process.kill()
            pod.process.wait()
