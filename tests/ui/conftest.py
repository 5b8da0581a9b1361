"""Dagster's page over the demo, and a browser to look at it with.

What a test keeps of the page goes to `build/ui`, once for each width.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.ui.server import Server, serving

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build" / "ui"
WIDTHS = (1280, 1920)
PATIENCE_MS = 20_000
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
WORKSPACE = """
load_from:
- python_file:
    relative_path: {root}/definitions.py
    working_directory: {root}
    location_name: dfsession
- python_file:
    relative_path: {root}/tests/ui/location.py
    working_directory: {root}
    location_name: secrets
"""
Keep = Callable[..., None]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The Chromium of this machine.

    Closed after the module: until then, Playwright runs an event loop in this thread,
    and Dagster can begin none.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("there is no Chromium here; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        opened = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def dagster(browser: Browser) -> Iterator[Server]:
    """A webserver over the demo, all of it materialized."""
    del browser  # without one, no server
    # Not pytest's own directory, whose long name the pictures would show.
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        (home / "dagster.yaml").write_text(INSTANCE)
        (home / "workspace.yaml").write_text(WORKSPACE.format(root=ROOT))
        environment = os.environ | {
            "DAGSTER_HOME": str(home),
            "DFSESSION_LAKE_ROOT": str(home / "lake"),
            "DFSESSION_UI_SECRET": "hunter2",
        }
        demo = subprocess.run(
            [sys.executable, str(ROOT / "definitions.py")],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert demo.returncode == 0, demo.stderr
        with serving(home, environment) as server:
            yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tall window, so that what the page shows in panes is all there."""
    context = browser.new_context(
        viewport={"width": WIDTHS[0], "height": 4000}, timezone_id="UTC", locale="en-US"
    )
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def keep() -> Keep:
    """Take a picture of what the page shows, at each width.

    With `shows`, the page is loaded anew for each of them, until that is there: a graph
    stays where it was in the window before.
    """
    PICTURES.mkdir(parents=True, exist_ok=True)

    def taken(
        page: Page,
        name: str,
        *,
        of: Locator | None = None,
        widths: Sequence[int] = WIDTHS,
        height: int = 1000,
        shows: str | None = None,
    ) -> None:
        for width in widths:
            page.set_viewport_size({"width": width, "height": height})
            if shows is not None:
                page.reload()
                expect(page.get_by_text(shows, exact=True).first).to_be_visible()
            path = PICTURES / f"{name}-{width}.png"
            (of or page).screenshot(path=path, animations="disabled")

    return taken
