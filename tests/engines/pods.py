"""Two calls of Kubernetes, answered on loopback: a pod is a process of this machine."""

import json
import os
import shutil
import subprocess
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"


class Pods(ThreadingHTTPServer):
    """Starts a worker for each pod that Sail asks for, and ends those it deletes.

    Attributes:
        workers: In the order in which they were asked for; the ended ones as well.
    """

    def __init__(self) -> None:
        super().__init__((HOST, 0), Answer)
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self, pod: dict[str, Any]) -> None:
        (container,) = pod["spec"]["containers"]
        given = {each["name"]: each.get("value", HOST) for each in container["env"]}
        (command,) = container["command"]
        binary = shutil.which(command, path=sysconfig.get_path("scripts")) or command
        worker = subprocess.Popen(
            [binary, *container["args"]],
            env={
                **os.environ,
                **given,
                "SAIL_CLUSTER__WORKER_LISTEN_HOST": HOST,  # and not every interface
            },
            stderr=subprocess.DEVNULL,
        )
        self.workers.append(worker)

    def end(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()


class Answer(BaseHTTPRequestHandler):
    """Answers one call."""

    server: Pods

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["content-length"]))
        self.server.start(json.loads(sent))
        self.answer(201, sent)

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        status = {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        self.answer(200, json.dumps(status).encode())

    def answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running_pods(kubeconfig: Path) -> Iterator[Pods]:
    """Answer until the block ends; `kubeconfig` is written, and says where."""
    with Pods() as pods:
        name = {"name": "test"}
        url = f"http://{HOST}:{pods.server_address[1]}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{**name, "cluster": {"server": url}}],
            "users": [{**name, "user": {}}],
            "contexts": [{**name, "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        kubeconfig.write_text(json.dumps(config))
        thread = threading.Thread(target=pods.serve_forever)
        thread.start()
        try:
            yield pods
        finally:
            pods.shutdown()
            thread.join()
            pods.end()
