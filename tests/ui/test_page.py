"""What people see: a run launched from the page, and the session that made its table."""

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow

RUN_MS = 60_000


def materialize(page: Page, webserver: str, asset: str) -> None:
    """Press Materialize on an asset's page and wait for the run's success."""
    page.goto(f"{webserver}/assets/{asset}")
    page.get_by_role("button", name=re.compile("Materialize$")).click()
    toast = page.get_by_role("region", name=re.compile("Notifications"))
    toast.get_by_role("link", name="View").click()
    success = page.get_by_text("Success", exact=True).first
    expect(success).to_be_visible(timeout=RUN_MS)


def value_of(page: Page, key: str) -> str:
    """Return the text of a metadata row of the asset's page."""
    cell = page.locator("td:first-child").get_by_text(key, exact=True)
    return page.locator("tr", has=cell).last.inner_text()


def test_a_run_from_the_page_shows_the_session_that_made_the_table(
    page: Page, webserver: str
) -> None:
    materialize(page, webserver, "flights")
    materialize(page, webserver, "carrier_delay")
    page.goto(f"{webserver}/assets/carrier_delay?view=overview")
    expect(page.get_by_text("dfsession/session_hash", exact=True)).to_be_visible()

    assert re.search(r"[0-9a-f]{64}", value_of(page, "dfsession/session_hash"))
    assert re.search(r"[0-9a-f]{64}", value_of(page, "dfsession/plan_hash"))
    assert "datafusion 55" in value_of(page, "dfsession/engine")
    assert "first materialization" in value_of(page, "dfsession/changes")
    assert "execution.batch_size" in value_of(page, "dfsession/settings")
    assert "flights" in value_of(page, "dfsession/inputs")
    assert "TableScan: flights" in value_of(page, "dfsession/plan")
    expect(page.get_by_text("Row count", exact=True)).to_be_visible()


def test_a_second_run_shows_that_nothing_changed(page: Page, webserver: str) -> None:
    materialize(page, webserver, "flights")
    materialize(page, webserver, "flights")
    page.goto(f"{webserver}/assets/flights?view=overview")
    expect(page.get_by_text("dfsession/changes", exact=True)).to_be_visible()

    assert "none" in value_of(page, "dfsession/changes")


def test_the_resource_page_describes_the_fields_and_masks_the_secrets(
    page: Page, webserver: str
) -> None:
    location = "/locations/location.py/resources"

    page.goto(f"{webserver}{location}/dfsession")
    expect(page.get_by_text("Profile to start from").first).to_be_visible()
    expect(page.get_by_text("4096").first).to_be_visible()
    page.goto(f"{webserver}{location}/io_manager")
    expect(page.get_by_text("of all tables.").first).to_be_visible()

    assert "hunter2" not in page.content()
