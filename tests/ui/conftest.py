"""Dagster's page over a small code location, and a browser to look at it with."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
READY_S = 60
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Runs start at once instead of waiting for the daemon; no dialog covers the page.
INSTANCE = """
telemetry: {enabled: false}
nux: {enabled: false}
run_coordinator:
  module: dagster.core.run_coordinator
  class: DefaultRunCoordinator
"""
LOADED = """
{workspaceOrError {... on Workspace {locationEntries {
  loadStatus locationOrLoadError {__typename ... on PythonError {message}}}}}}
"""


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser of this machine."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("there is no Chromium here; on Debian: apt-get install chromium")
    return found


@pytest.fixture(scope="session")
def webserver(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Dagster webserver over `location.py`."""
    del chromium  # without a browser, no server
    home = tmp_path_factory.mktemp("home")
    (home / "dagster.yaml").write_text(INSTANCE)
    port = _free_port()
    environment = os.environ | {
        "DAGSTER_HOME": str(home),
        "DFSESSION_LAKE_ROOT": str(home / "lake"),
        "DFSESSION_UI_SECRET": "hunter2",
    }
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1"]
    command += ["-p", str(port), "-f", str(HERE / "location.py")]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log
        )  # our own command
    try:
        _wait_until_loaded(f"http://127.0.0.1:{port}", server, home / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    """A tall window, so that what the page shows in panes is all there."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        context = browser.new_context(
            viewport={"width": 1500, "height": 3200}, timezone_id="UTC", locale="en-US"
        )
        yield context.new_page()
        browser.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_loaded(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    body = json.dumps({"query": LOADED}).encode()
    headers = {"content-type": "application/json"}
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            request = urllib.request.Request(f"{url}/graphql", body, headers)  # noqa: S310  # loopback
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  # loopback
                found = json.load(answer)["data"]["workspaceOrError"]
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
