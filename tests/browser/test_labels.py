"""A label from its making to its end, with the keyboard alone."""

from playwright.sync_api import Page, expect

from tests.browser import sample
from tests.browser.keyboard import activate, tab_to
from tests.browser.test_projects import base_of
from tests.support.stack import Stack


def test_a_label_of_the_system_on_an_artifact_by_keyboard(page: Page, site: Stack) -> None:
    digest = sample.push_image(site, "library/labelled", "1.0", seed=81)
    page.goto("/harbor/labels")
    activate(page, page.get_by_role("link", name="New label"))
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("Enter a name.")).to_be_visible()
    expect(dialog.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("checked twice")
    page.keyboard.press("Tab")
    page.keyboard.type("By two people")
    activate(page, dialog.get_by_role("button", name="Save"))
    row = page.get_by_role("row", name="checked twice")
    expect(row).to_contain_text("By two people")

    page.goto(f"{base_of(site, 'library')}/repositories/labelled/artifacts/{digest}")
    activate(page, page.get_by_role("link", name="Labels").last)
    box = dialog.get_by_role("checkbox", name="checked twice")
    tab_to(page, box)
    page.keyboard.press("Space")
    expect(box).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.locator(".page-head .label-chip", has_text="checked twice")).to_be_visible()

    page.goto("/harbor/labels")
    summary = row.locator("summary")
    activate(page, summary)
    activate(page, row.get_by_role("link", name="Delete"))
    expect(dialog).to_contain_text("It is taken off 1 artifact.")
    page.keyboard.press("Escape")
    expect(summary).to_be_focused()
    page.keyboard.press("Enter")
    activate(page, row.get_by_role("link", name="Delete"))
    activate(page, dialog.get_by_role("button", name="Delete label"))
    expect(page.locator(".notice-success")).to_contain_text("checked twice was deleted")
    expect(row).to_have_count(0)
