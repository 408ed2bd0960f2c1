"""Tags and artifacts by mouse and keyboard, through the whole registry."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import sample
from tests.browser.chromium import context, sign_in
from tests.support.stack import Stack


@pytest.fixture
def tags_page(browser: Browser, site: Stack) -> Page:
    made = context(browser, site)
    sign_in(made, *site.admin)
    with site.api() as api:
        ids = {item["name"]: item["project_id"] for item in api.get("/api/v2.0/projects").json()}
    page = made.new_page()
    page.goto(f"/harbor/projects/{ids['library']}/repositories/shelf")
    return page


def test_tags_are_deleted_in_the_dialog_and_brought_back(
    site: Stack, browser: Browser, request: pytest.FixtureRequest
) -> None:
    sample.push_image(site, "library/shelf", "one", seed=70)
    sample.push_image(site, "library/shelf", "two", seed=71)
    page: Page = request.getfixturevalue("tags_page")
    bar = page.locator("#bulk")
    expect(bar).to_be_hidden()
    page.get_by_role("checkbox", name="Select one").check()
    expect(bar).to_be_visible()
    page.get_by_role("button", name="Delete tags").click()
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_role("heading", name="Delete tag one?")).to_be_visible()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Tags deleted: 1")).to_be_visible()
    expect(page.locator("#list").get_by_role("link", name="one", exact=True)).to_have_count(0)
    page.get_by_role("link", name="Deleted").click()
    page.get_by_role("button", name="Restore one").click()
    expect(page.get_by_text("points to")).to_be_visible()


def test_filters_follow_the_table(tags_page: Page) -> None:
    tags_page.locator(".facets select[name=type]").select_option("CHART")
    expect(tags_page.get_by_role("heading", name="Nothing matches these filters")).to_be_visible()
    tags_page.locator("#list").get_by_role("link", name="Clear the filter").first.click()
    expect(tags_page.locator("#list tbody tr").first).to_be_visible()


def test_description_is_written_and_previewed(tags_page: Page) -> None:
    tags_page.get_by_role("link", name="Info").click()
    tags_page.get_by_role("link", name="Write a description").click()
    tags_page.get_by_label("Description").fill("# Shelf\n\nfor **books**")
    tags_page.get_by_role("button", name="Preview").click()
    expect(tags_page.locator(".preview strong")).to_have_text("books")
    tags_page.get_by_role("button", name="Save").click()
    expect(tags_page.locator(".prose h2")).to_have_text("Shelf")
