"""The frame in Debian's Chromium: search by keyboard, dialogs, tokens, selections, logs, and life without scripts."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.chromium import context, sign_in
from tests.support.stack import Stack

HEAVIEST = 250_000  # bytes of a first visit, pictures left out


@pytest.fixture
def profile(browser: Browser, site: Stack) -> Iterator[BrowserContext]:
    made = context(browser, site)
    sign_in(made, *site.admin)
    yield made
    made.close()


@pytest.fixture
def page(profile: BrowserContext) -> Page:
    return profile.new_page()


def _serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [item["id"] for item in found if item["impact"] in ("serious", "critical")]


def test_search_by_keyboard(page: Page) -> None:
    page.goto("/harbor/projects")
    page.keyboard.press("/")
    expect(page.locator("#search-q")).to_be_focused()
    page.keyboard.type("payments/api")
    expect(page.locator("#search-results a").first).to_have_text("payments/api")
    assert _serious(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#search-results")).to_be_hidden()
    page.keyboard.type(":2.3")
    expect(page.locator("#search-results a").first).to_have_text("payments/api:2.3.0")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert "/artifacts/sha256:" in page.url


@pytest.mark.parametrize("theme", [pytest.param("light", marks=pytest.mark.slow), "dark"])
def test_a_token_from_the_dialog_to_its_end(browser: Browser, site: Stack, theme: str) -> None:
    made = context(browser, site, theme=theme)
    sign_in(made, *site.admin)
    page = made.new_page()
    page.goto("/account/tokens")
    page.get_by_role("link", name="New token").click()
    dialog = page.get_by_role("dialog", name="New token")
    expect(dialog.get_by_label("Name")).to_be_focused()
    dialog.get_by_role("button", name="Create token").click()
    expect(dialog.get_by_text("Enter a name.")).to_be_visible()
    assert _serious(page) == []
    dialog.get_by_label("Name").fill(f"laptop {theme}")
    dialog.get_by_label("pull: read").check()
    dialog.get_by_role("button", name="Create token").click()
    shown = page.get_by_role("dialog")
    expect(shown).to_contain_text("docker login")
    assert _serious(page) == []
    secret = re.search(r"hbr_[0-9A-Za-z]{46}", shown.inner_text())
    assert secret
    with site.client() as client:
        query = {"scope": "repository:payments/api:pull", "service": "harbor-registry"}
        answer = client.get("/service/token", params=query, auth=("admin", secret[0]))
        assert answer.status_code == 200
    shown.get_by_role("link", name="Done").click()
    page.get_by_role("link", name=f"Revoke laptop {theme}").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text(f"The token laptop {theme} was revoked.")).to_be_visible()
    made.close()


def test_rows_are_chosen_and_confirmed(page: Page) -> None:
    page.goto("/harbor/components")
    rows = page.locator('input[name="pick"]').count()  # as many as there are projects, other tests' among them
    assert rows >= 4
    page.get_by_label("Select all rows of this page").check()
    bar = page.locator("#bulk")
    expect(bar).to_contain_text(f"{rows} selected")
    page.get_by_label("Select library").uncheck()
    expect(bar).to_contain_text(f"{rows - 1} selected")
    bar.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name=f"Delete {rows - 1} things?")
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_text("Type the word as it is shown.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(bar.get_by_role("button", name="Delete")).to_be_focused()


def test_a_log_grows_to_its_end(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.headers.get("x-harbor-no-session-renewal", ""))
            if "/components/log" in request.url else None)  # fmt: skip
    page.goto("/harbor/components")
    expect(page.locator(".log-text")).to_contain_text("line 11", timeout=20_000)
    expect(page.locator(".log-done")).to_be_visible()
    assert asked == ["true"] * 3


def test_without_scripts(browser: Browser, site: Stack) -> None:
    made = context(browser, site, scripts=False)
    sign_in(made, *site.admin)
    page = made.new_page()
    page.goto("/harbor")
    page.fill("#search-q", "hello")
    page.press("#search-q", "Enter")
    expect(page.locator("main")).to_contain_text("library/hello-world")
    page.goto("/account/tokens/new")
    page.get_by_label("Name").fill("plain")
    page.get_by_label("pull: read").check()
    page.get_by_role("button", name="Create token").click()
    expect(page.locator("main")).to_contain_text("hbr_")
    page.goto("/account/tokens")
    page.get_by_role("link", name="Revoke plain").click()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("was revoked")).to_be_visible()
    made.close()


def test_what_was_typed_outlives_the_session(profile: BrowserContext, site: Stack) -> None:
    page = profile.new_page()
    page.goto("/account/profile")
    page.get_by_label("Comment").fill("typed before")
    profile.clear_cookies(name="sid")
    page.get_by_role("button", name="Save").click()
    page.get_by_label("User name").fill(site.admin[0])
    page.get_by_label("Password").fill(site.admin[1])
    page.locator("main").get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_label("Comment")).to_have_value("typed before")
    expect(page.get_by_text("Your profile was saved.")).to_be_visible()


@pytest.mark.parametrize("path", ["/harbor", "/harbor/projects", "/harbor/components"])
def test_first_visits_are_light(profile: BrowserContext, path: str) -> None:
    page = profile.new_page()
    sizes: list[int] = []
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    page.goto(path, wait_until="networkidle")
    assert 10_000 < sum(sizes) < HEAVIEST, sizes
