"""Swagger UI in the portal: drawn under the strict policy, its calls act as who is signed in."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import NARROW, WIDE, context, sign_in
from tests.support.stack import Stack

URL = "/devcenter-api-2.0"
ANSWER = ".live-responses-table .response-col_status"


def _try(page: Page, operation: str, body: str = "") -> str:
    """Execute one operation of the tag ``project``. Returns the status that is shown."""
    block = page.locator(f"#operations-project-{operation}")
    block.locator(".opblock-summary-control").click()
    block.locator(".try-out__btn").click()
    if body:
        block.locator("textarea").fill(body)
    block.locator(".execute").click()
    return block.locator(ANSWER).nth(1).inner_text().strip()


@pytest.mark.parametrize(("theme", "size"), [pytest.param("light", WIDE, marks=pytest.mark.slow), ("dark", NARROW)])
def test_calls_act_as_who_is_signed_in(browser: Browser, site: Stack, theme: str, size: dict[str, int]) -> None:
    made = context(browser, site, theme=theme, size=size)
    sign_in(made, *site.admin)
    page = made.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(URL)
    page.locator("#operations-tag-project").click()
    assert _try(page, "listProjects") == "200"
    expect(page.locator("#operations-project-listProjects .live-responses-table")).to_contain_text("library")
    name = f"tried-{theme}"
    assert _try(page, "createProject", f'{{"project_name": "{name}"}}') == "201"
    with site.api() as api:
        assert api.head(f"/api/v2.0/projects?project_name={name}").status_code == 200
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert page.evaluate("document.documentElement.classList.contains('dark-mode')") is (theme == "dark")
    assert complaints == []
    made.close()


def test_a_visitor_sees_what_is_public(browser: Browser, site: Stack) -> None:
    made = context(browser, site)
    page = made.new_page()
    page.goto("/harbor/projects")
    page.get_by_role("link", name="API reference").click()
    page.locator("#operations-tag-project").click()
    assert _try(page, "listProjects") == "200"
    assert _try(page, "createProject", '{"project_name": "nobody"}') == "401"
    made.close()
