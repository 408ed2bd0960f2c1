"""Pages of a project through the real stack: what people do there, with scripts and without."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import sample
from tests.browser.chromium import NARROW, WIDE, context, sign_in
from tests.support.stack import Stack

PAGES = ("summary", "members", "labels", "robot-accounts", "immutable-tags", "webhooks", "logs", "configuration")
FORMS = ("members/new", "labels/new", "robot-accounts/new", "immutable-tags/new", "webhooks/new", "delete")


def base_of(site: Stack, name: str = "payments") -> str:
    with site.api() as api:
        found = api.get(f"/api/v2.0/projects/{name}", headers={"X-Is-Resource-Name": "true"}).json()
    return f"/harbor/projects/{found['project_id']}"


def test_a_project_from_its_beginning_to_its_end(page: Page) -> None:
    page.goto("/harbor/projects")
    page.get_by_role("link", name="New project").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Wrong Name")
    dialog.get_by_role("button", name="Create project").click()
    expect(dialog.locator(".field-error")).to_contain_text("lower-case letters")
    expect(dialog.get_by_label("Name", exact=True)).to_have_value("Wrong Name")
    dialog.get_by_label("Name", exact=True).fill("short-lived")
    dialog.get_by_role("button", name="Create project").click()
    page.wait_for_url("**/repositories")  # until then the page and the dialog have a heading each
    expect(page.get_by_role("heading", level=1)).to_contain_text("short-lived")
    page.get_by_role("link", name="Summary").click()
    page.get_by_role("link", name="Delete project").click()
    dialog.get_by_label(re.compile("to confirm")).fill("short-lived")
    dialog.get_by_role("button", name="Delete project").click()
    expect(page.locator(".notice-success")).to_contain_text("short-lived was deleted")


def test_a_project_with_content_says_what_stands_in_the_way(page: Page, site: Stack) -> None:
    page.goto(f"{base_of(site)}/delete")
    expect(page.locator(".consequences")).to_contain_text("api")
    expect(page.get_by_role("main").get_by_role("button", name="Delete project")).to_have_count(0)


def test_members_come_change_and_go(page: Page, site: Stack) -> None:
    page.goto(f"{base_of(site, 'platform-tools')}/members")
    page.get_by_role("link", name="Add member").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("User name").press_sequentially("de")
    expect(dialog.locator("#candidates option")).to_have_count(1)
    dialog.get_by_label("User name").fill("dev")
    dialog.get_by_role("button", name="Add member").click()
    row = page.locator("#list tbody tr", has_text="dev")
    expect(row).to_contain_text("Developer")
    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Change role").click()
    dialog.get_by_role("radio", name=re.compile("^Maintainer")).check()
    dialog.get_by_role("button", name="Change role").click()
    expect(row).to_contain_text("Maintainer")
    row.locator("summary").click()
    row.get_by_role("link", name="Remove").click()
    dialog.get_by_role("button", name="Remove member").click()
    expect(row).to_have_count(0)


def test_a_robot_signs_in_with_the_secret_it_was_shown(page: Page, site: Stack) -> None:
    page.goto(f"{base_of(site)}/robot-accounts")
    page.get_by_role("link", name="New robot account").click()
    page.get_by_label("Name", exact=True).fill("deploy")
    page.get_by_role("radio", name=re.compile("^Pull")).check()
    expect(page.get_by_role("checkbox", name="Repository: Pull")).to_be_checked()
    expect(page.get_by_role("checkbox", name="Repository: Push")).not_to_be_checked()
    page.get_by_role("checkbox", name="Tag: List").check()
    expect(page.get_by_role("radio", name=re.compile("^Choose one by one"))).to_be_checked()
    page.get_by_role("button", name="Create robot account").click()
    secret = page.locator("#secret").inner_text()
    with site.client() as client:
        answer = client.get(
            "/service/token",
            params={"service": "harbor-registry", "scope": "repository:payments/api:pull"},
            auth=("robot+payments+deploy", secret),
        )
    assert answer.status_code == 200 and answer.json()["token"]
    page.get_by_role("link", name="Done, I have it").click()
    expect(page.get_by_text(secret)).to_have_count(0)


def test_a_rule_shows_what_it_keeps_while_it_is_written(page: Page, site: Stack) -> None:
    page.goto(f"{base_of(site)}/immutable-tags/new")
    page.get_by_label("Tags", exact=True).fill("2.1?.0")
    expect(page.locator("#preview")).to_contain_text("8 tags")
    expect(page.locator("#preview")).to_contain_text("api:2.17.0")
    page.get_by_label("Tags", exact=True).fill("never-*")
    expect(page.locator("#preview")).to_contain_text("No tag matches")
    page.get_by_role("button", name="Save").click()
    row = page.locator(".table tbody tr", has_text="never-*")
    row.locator("summary").click()
    row.get_by_role("link", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete rule").click()
    expect(row).to_have_count(0)


def test_the_log_is_filtered_and_exported(page: Page, site: Stack) -> None:
    page.goto(f"{base_of(site)}/logs")
    page.get_by_label("Type", exact=True).select_option("member")
    expect(page.locator("#list tbody tr").first).to_contain_text("payments/dev")
    with page.expect_download() as started:
        page.get_by_role("link", name="Export as CSV").click()
    text = started.value.path().read_text("utf-8-sig")
    assert "payments/dev" in text and ",repository," not in text


def test_forms_work_without_scripts(browser: Browser, site: Stack) -> None:
    made = context(browser, site, scripts=False)
    sign_in(made, "admin", site.admin[1])
    page = made.new_page()
    page.goto(f"{base_of(site)}/labels")
    page.get_by_role("link", name="New label").click()
    page.get_by_label("Name", exact=True).fill("plain")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#list")).to_contain_text("plain")
    page.goto(f"{base_of(site)}/configuration")
    page.get_by_label("Scan on push").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".notice-success")).to_be_visible()
    expect(page.get_by_label("Scan on push")).to_be_checked()
    made.close()


def test_a_developer_sees_the_pages_without_their_actions(browser: Browser, site: Stack) -> None:
    made = context(browser, site)
    sign_in(made, "dev", sample.PASSWORD)
    page = made.new_page()
    for name, action in (("members", "Add member"), ("labels", "New label"), ("robot-accounts", "New robot account")):
        page.goto(f"{base_of(site)}/{name}")
        expect(page.get_by_role("link", name=action)).to_have_count(0)
    page.goto(f"{base_of(site)}/configuration")
    expect(page.get_by_label("Public")).to_be_disabled()
    made.close()


@pytest.mark.parametrize(("theme", "size"), [pytest.param("light", WIDE, marks=pytest.mark.slow), ("dark", NARROW)])
def test_accessibility_and_width(browser: Browser, site: Stack, theme: str, size: dict[str, int]) -> None:
    made = context(browser, site, theme=theme, size=size)
    sign_in(made, *site.admin)
    page, found = made.new_page(), []
    for name in (*PAGES, *FORMS):
        page.goto(f"{base_of(site)}/{name}")
        if page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"):
            found.append((name, "wider than the window"))
        for item in Axe().run(page).response["violations"]:
            found.append((name, item["id"], item["nodes"][0]["html"][:200]))
    assert found == []
    made.close()
