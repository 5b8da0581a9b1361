"""A Dagster webserver as a process, and its API."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

READY_S = 120
LOADED = """
{workspaceOrError {... on Workspace {locationEntries {
  loadStatus locationOrLoadError {__typename ... on PythonError {message}}}}}}
"""
LATEST = """
query ($key: AssetKeyInput!) {assetOrError(assetKey: $key) {... on Asset {
  assetMaterializations(limit: 1) {runId metadataEntries {
    label ... on TextMetadataEntry {text} ... on MarkdownMetadataEntry {mdStr}
    ... on IntMetadataEntry {intValue}}}}}}
"""


class Server:
    """A webserver that is up.

    Attributes:
        url: Its address.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def asked(self, query: str, **variables: Any) -> Any:
        """Return the answer to a query of the API."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)  # noqa: S310  # loopback
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  # loopback
            return json.load(answer)["data"]

    def record(self, asset: str) -> dict[str, Any]:
        """Return what an asset's last materialization says, by key."""
        found = self.asked(LATEST, key={"path": [asset]})["assetOrError"]
        [event] = found["assetMaterializations"]
        return {
            entry.pop("label"): next(iter(entry.values()), None)
            for entry in event["metadataEntries"]
        }


@contextlib.contextmanager
def serving(home: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    """Serve `workspace.yaml` of a directory for the length of a block."""
    port = _free_port()
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1"]
    command += ["-p", str(port), "-w", "workspace.yaml"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=home, env=environment, stdout=log, stderr=log
        )
    try:
        server = Server(f"http://127.0.0.1:{port}")
        _wait_until_loaded(server, process, home / "log")
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_loaded(
    server: Server, process: "subprocess.Popen[bytes]", log: Path
) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            found = server.asked(LOADED)["workspaceOrError"]
        except OSError:
            time.sleep(0.2)
            continue
        entries = found["locationEntries"]
        if entries and all(each["loadStatus"] == "LOADED" for each in entries):
            kinds = {each["locationOrLoadError"]["__typename"] for each in entries}
            assert kinds == {"RepositoryLocation"}, found
            return
        time.sleep(0.2)
    raise TimeoutError(log.read_text())
