"""What people see of the demo: each test does what a person would, with a browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.ui.server import Server

# The first of them waits for the demo, too.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RUN_MS = 120_000
README = 1920
"""Width of the pictures that `make pictures` puts into docs."""
BATCH_SIZE = re.compile("Rows in a")
Keep = Callable[..., None]


def succeeds(page: Page) -> None:
    """Wait on a run's page until it is over."""
    success = page.get_by_text("Success", exact=True).first
    expect(success).to_be_visible(timeout=RUN_MS)


def materialize(page: Page, dagster: Server, asset: str) -> None:
    """Press Materialize on an asset's page, follow the toast, wait for the end."""
    page.goto(f"{dagster.url}/assets/{asset}")
    page.get_by_role("button", name=re.compile("Materialize$")).click()
    toast = page.get_by_role("region", name=re.compile("Notifications"))
    toast.get_by_role("link", name="View").click()
    succeeds(page)


def open_launchpad(page: Page, dagster: Server, asset: str) -> Locator:
    """Return the editor of the launchpad."""
    page.goto(f"{dagster.url}/assets/{asset}")
    page.get_by_role("button", name="arrow_drop_down", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("Open launchpad")).click()
    editor = page.locator(".CodeMirror").first
    expect(page.get_by_text("No errors", exact=True)).to_be_visible()
    return editor


def write(editor: Locator, text: str) -> None:
    """Replace the text of an editor."""
    editor.evaluate("(each, text) => each.CodeMirror.setValue(text)", text)


def row_of(page: Page, key: str) -> Locator:
    """Return the row of a metadata key on the page of an asset."""
    cell = page.locator("td:first-child").get_by_text(key, exact=True)
    return page.locator("tr", has=cell).last


def test_a_run_launched_by_a_click_succeeds_and_says_what_it_cleaned_up(
    page: Page, dagster: Server, keep: Keep
) -> None:
    materialize(page, dagster, "detours")

    closed = page.get_by_text(re.compile("closed the session 'default' and removed"))
    expect(closed).to_be_visible()
    keep(page, "run")


def test_the_asset_page_says_what_the_api_says(
    page: Page, dagster: Server, keep: Keep
) -> None:
    page.goto(f"{dagster.url}/assets/routes")
    expect(row_of(page, "dfsession/session_hash")).to_be_visible()
    record = dagster.record("routes")

    for key in ("session_hash", "plan_hash", "engine", "record"):
        assert (
            record[f"dfsession/{key}"] in row_of(page, f"dfsession/{key}").inner_text()
        )
    for tile, said in (("Row count", "224"), ("Storage", "KB")):
        status = page.get_by_text(tile, exact=True).first.locator("..")
        assert said in status.inner_text()
    for kind in ("datafusion", "Delta Lake", "SQL"):
        expect(page.get_by_text(kind, exact=True).first).to_be_visible()
    expect(page.get_by_text("FAA code of the airport of arrival.")).to_be_visible()
    expect(page.get_by_text("in airports.faa").first).to_be_visible()
    keep(page, "asset", height=4200)
    keep(page, "page", widths=[README], height=1405)


def test_no_value_is_wider_than_a_wide_window_but_the_name_of_the_record(
    page: Page, dagster: Server
) -> None:
    page.set_viewport_size({"width": 1920, "height": 4200})
    page.goto(f"{dagster.url}/assets/routes")
    for key in ("plan", "sql", "lineage", "session_hash", "changes"):
        value = row_of(page, f"dfsession/{key}").locator("> td").last
        needed = value.evaluate(
            """cell => {
                const copy = document.createElement("div");
                copy.style.cssText = "position: absolute; width: min-content";
                copy.append(...[...cell.childNodes].map(each => each.cloneNode(true)));
                cell.append(copy);
                const width = copy.offsetWidth;
                copy.remove();
                return width;
            }"""
        )

        assert needed <= 662, key


def test_a_setting_changed_in_the_launchpad_is_a_red_and_green_line_of_the_changes(
    page: Page, dagster: Server, keep: Keep
) -> None:
    editor = open_launchpad(page, dagster, "detours")
    prefilled = editor.evaluate("each => each.CodeMirror.getValue()")
    assert "preset: default" in prefilled
    profile = "      profile:\n        execution:\n          batch_size: 4096\n"
    write(
        editor,
        prefilled.replace(
            "      preset: default\n", f"      preset: default\n{profile}"
        ),
    )
    editor.evaluate("each => each.CodeMirror.setCursor(7, 14)")
    expect(page.get_by_text("No errors", exact=True)).to_be_visible()
    expect(page.get_by_text(BATCH_SIZE).first).to_be_visible()
    keep(page, "launchpad")
    page.get_by_role("button", name=re.compile("Materialize$")).last.click()
    page.wait_for_url(re.compile("/runs/[0-9a-f-]{36}"))
    succeeds(page)

    page.goto(f"{dagster.url}/assets/detours")
    changes = row_of(page, "dfsession/changes")
    expect(changes.locator(".hljs-deletion").first).to_have_text(
        re.compile("execution.batch_size = 8192")
    )
    expect(changes.locator(".hljs-addition").first).to_have_text(
        re.compile("execution.batch_size = 4096")
    )
    keep(page, "changes", height=4200)
    keep(page, "diff", of=changes, widths=[README], height=4200)


def test_a_setting_that_is_none_is_refused_in_the_launchpad(
    page: Page, dagster: Server
) -> None:
    editor = open_launchpad(page, dagster, "detours")
    write(
        editor,
        "resources: {dfsession: {config: {profile: {execution: {batchsize: 1}}}}}",
    )

    expect(page.get_by_text(re.compile("batchsize")).last).to_be_visible()
    expect(page.get_by_text("No errors", exact=True)).not_to_be_visible()


def test_rows_bytes_time_and_spilled_bytes_are_plotted(
    page: Page, dagster: Server, keep: Keep
) -> None:
    page.goto(f"{dagster.url}/assets/detours")
    page.get_by_role("button", name=re.compile("Plots$")).click()

    for key in (
        "dagster/row_count",
        "dagster/size_bytes",
        "dfsession/elapsed_ms",
        "dfsession/spilled_bytes",
    ):
        expect(page.get_by_text(key, exact=True).first).to_be_visible()
    assert page.locator("canvas").count() >= 4
    keep(page, "plots", height=3000)


def test_a_failing_check_shows_the_rows_that_break_it(
    page: Page, dagster: Server, keep: Keep
) -> None:
    page.goto(f"{dagster.url}/assets/routes?view=checks")
    page.get_by_text("relationships_dest", exact=True).first.click()

    expect(
        page.get_by_text(re.compile("dest is not in airports.faa")).first
    ).to_be_visible()
    examples = page.locator(
        "tr", has=page.get_by_text("dfsession/examples", exact=True)
    )
    expect(
        examples.last.get_by_text(re.compile("BQN|PSE|SJU|STT")).first
    ).to_be_visible()
    keep(page, "check", height=1400)


def test_the_lineage_table_says_where_each_column_is_from(
    page: Page, dagster: Server, keep: Keep
) -> None:
    page.goto(f"{dagster.url}/assets/routes")
    lineage = row_of(page, "dfsession/lineage")
    expect(lineage).to_be_visible()

    assert "great_circle_km\tairports.lat, airports.lon" in lineage.inner_text()
    page.goto(f"{dagster.url}/assets/routes?view=lineage")
    for asset in ("airports", "flights", "routes", "detours"):
        expect(page.get_by_text(asset, exact=True).first).to_be_visible()
    keep(page, "lineage", shows="detours")


def test_the_resource_page_describes_the_fields_and_masks_the_secrets(
    page: Page, dagster: Server, keep: Keep
) -> None:
    location = f"{dagster.url}/locations/secrets/resources"
    page.goto(f"{location}/dfsession")
    expect(page.get_by_text("Profile to start from").first).to_be_visible()
    given = page.get_by_text('{"execution": {"batch_size": 4096}}')
    expect(given.first).to_be_visible()
    keep(page, "resource")
    page.goto(f"{location}/io_manager")
    expect(page.get_by_text("of all tables.").first).to_be_visible()

    assert "hunter2" not in page.content()
