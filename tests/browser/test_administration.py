"""Pages of administration in Debian's Chromium: width of a phone, accessibility, and a robot account from its form to a
client's token."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import sample
from tests.browser.chromium import NARROW, WIDE, context, sign_in
from tests.screenshots import administration_pages, project_pages
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def paths(site: Stack, ids: dict[str, int]) -> dict[str, str]:
    """Pages of administration, and those of a project."""
    return administration_pages(ids) | project_pages(site)


@pytest.mark.parametrize(
    ("theme", "size", "language"),
    [
        ("dark", NARROW, "zh-hans"),
        pytest.param("light", WIDE, "en", marks=pytest.mark.slow),
        pytest.param("dark", WIDE, "zh-hans", marks=pytest.mark.slow),
        pytest.param("light", NARROW, "en", marks=pytest.mark.slow),
    ],
)
def test_every_page_is_accessible_and_fits(
    browser: Browser, site: Stack, paths: dict[str, str], theme: str, size: dict[str, int], language: str
) -> None:
    made = context(browser, site, theme=theme, size=size, language=language)
    sign_in(made, *site.admin)
    page = made.new_page()
    found: list[tuple[object, ...]] = []
    for name, path in paths.items():
        answer = page.goto(path)
        assert answer is not None and answer.status == 200, name
        excess = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if excess:
            found.append((name, "wider than the window", excess))
        violations = Axe().run(page).response["violations"]
        found.extend((name, item["id"], item["nodes"][0]["html"][:200]) for item in violations)
    made.close()
    assert found == []


def test_a_user_is_made_administrator_and_gets_a_new_password(page: Page, browser: Browser, site: Stack) -> None:
    page.goto("/harbor/users/new")
    fields = {"User name": "mary", "First and last name": "Mary", "Password": sample.PASSWORD}
    for label, value in (fields | {"Password again": sample.PASSWORD}).items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="Create user").click()
    row = page.get_by_role("row", name="mary")
    expect(row).to_be_visible()
    with site.api() as api:
        found = api.get("/api/v2.0/users", params={"q": "username=mary"}).json()[0]["user_id"]
    page.goto(f"/harbor/users/{found}/administrator")
    page.get_by_role("button", name="Make administrator").click()
    expect(page.get_by_role("row", name="mary")).to_contain_text("Administrator")
    page.goto(f"/harbor/users/{found}/password")
    page.get_by_label("New password", exact=True).fill("Other-word-1")
    page.get_by_label("New password again").fill("Other-word-1")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("The password of mary was changed.")).to_be_visible()
    other = context(browser, site)
    sign_in(other, "mary", "Other-word-1")
    other.close()


def test_a_robot_from_its_form_to_a_token(page: Page, site: Stack) -> None:
    page.goto("/harbor/robot-accounts/new")
    page.get_by_label("Name", exact=True).fill("mirror")
    page.get_by_label("Project", exact=True).fill("payments")
    page.get_by_role("button", name="Add project").click()
    panel = page.locator(".matrix").first
    panel.locator("tr", has_text="Repository").first.locator("input").nth(5).check()
    page.get_by_role("button", name="Create robot account").click()
    expect(page.locator("main")).to_contain_text("docker login")
    text = page.locator("main").inner_text()
    login = re.search(r"robot\$mirror", text)
    assert login
    secrets = [word for word in re.findall(r"[A-Za-z0-9_]{24,}", text) if re.search(r"\d", word)]
    query = {"scope": "repository:payments/api:pull", "service": "harbor-registry"}
    with site.client() as client:
        answers = [client.get("/service/token", params=query, auth=(login[0], word)).status_code for word in secrets]
    assert 200 in answers
    page.goto("/harbor/robot-accounts")
    assert not any(word in page.content() for word in secrets)
