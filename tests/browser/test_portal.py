"""The portal in Debian's Chromium, on the complete registry."""

import itertools
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import sample
from tests.browser.chromium import NARROW, WIDE, context, sign_in
from tests.screenshots import pages
from tests.support.stack import Stack


@pytest.fixture
def profile(browser: Browser, site: Stack) -> Iterator[BrowserContext]:
    """Signed in as administrator."""
    made = context(browser, site)
    sign_in(made, *site.admin)
    yield made
    made.close()


@pytest.fixture
def page(profile: BrowserContext) -> Page:
    return profile.new_page()


def _complaints(page: Page) -> list[str]:
    """What the browser complains about: policy violations, failed scripts, missing files."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("response", lambda answer: found.append(answer.url) if answer.status >= 500 else None)
    return found


def test_from_sign_in_to_a_pull_command(browser: Browser, site: Stack) -> None:
    made = context(browser, site)
    made.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    page = made.new_page()
    complaints = _complaints(page)
    page.goto("/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "not this")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("User name or password is wrong.")
    expect(page.locator("#id_username")).to_have_value("admin")
    page.fill("#id_password", site.admin[1])
    page.keyboard.press("Enter")
    page.get_by_role("link", name="library", exact=True).click()
    page.get_by_role("link", name="hello-world", exact=True).click()
    row = page.get_by_role("row", name="1.0")
    expect(row).to_contain_text("linux/amd64")
    row.get_by_role("button", name="Copy command").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"docker pull {site.registry}/library/hello-world:1.0"
    page.get_by_role("button", name="podman").click()
    expect(page.get_by_role("row", name="1.0")).to_contain_text("podman pull")
    page.get_by_role("link", name="1.0", exact=True).click()
    expect(page.get_by_role("heading", name="Build history")).to_be_visible()
    page.locator(".topbar summary", has_text="admin").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{site.url}/account/sign-in")
    assert [line for line in complaints if "401" not in line] == []
    made.close()


def test_a_developer_sees_own_projects_and_how_to_push(browser: Browser, site: Stack) -> None:
    made = context(browser, site)
    sign_in(made, "dev", sample.PASSWORD)
    page = made.new_page()
    page.goto("/harbor/projects")
    row = page.get_by_role("row", name="payments")
    expect(row).to_contain_text("Developer")
    page.get_by_role("link", name="empty", exact=True).click()
    expect(page.locator(".script").last).to_contain_text(f"docker push {site.registry}/empty/REPOSITORY:TAG")
    made.close()


def test_tables_sort_filter_and_page_in_place(page: Page, site: Stack) -> None:
    complaints = _complaints(page)
    page.goto(pages(site)["tags"])
    page.evaluate("window.stays = true")
    page.fill("#filter-q", "2.1")
    expect(page.locator("#list tbody tr")).to_have_count(9)  # 2.1.0 and 2.10.0 to 2.17.0
    assert "q=2.1" in page.url
    page.fill("#filter-q", "")
    expect(page.locator("#list tbody tr")).to_have_count(15)
    page.get_by_role("link", name="Tag", exact=True).click()
    expect(page.get_by_role("columnheader", name="Tag", exact=True)).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("link", name="Next page").click()
    expect(page.locator("#list tbody tr")).to_have_count(4)
    expect(page.get_by_role("status").first).to_contain_text("16–19 of 19")
    page.fill("#filter-q", "2.")
    expect(page.get_by_role("columnheader", name="Tag", exact=True)).to_have_attribute("aria-sort", "ascending")
    assert page.evaluate("window.stays") is True
    page.go_back()
    expect(page.locator("#list tbody tr")).to_have_count(4)
    assert complaints == []


def test_choices_are_remembered(page: Page, site: Stack) -> None:
    page.goto("/harbor/projects")
    page.locator("summary[aria-label=Theme]").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.locator("summary[aria-label=Language]").click()
    page.get_by_role("button", name="简体中文").click()
    expect(page.get_by_role("heading", name="项目")).to_be_visible()
    page.goto("/harbor/projects")
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(15, 20, 24)"


def test_everything_by_keyboard(page: Page, site: Stack) -> None:
    page.goto("/harbor/projects")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    summary = page.locator(".topbar summary", has_text="admin")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(summary).to_be_focused()
    seen: set[str] = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.textContent.trim()"))
        outline = page.evaluate(
            "(() => { const e = document.activeElement; const f = e.closest('.field-search') ?? e;"
            " return e === document.body ? 'solid' : getComputedStyle(f).outlineStyle; })()"
        )
        assert outline == "solid"
    assert {"Name", "library", "payments", "Private"} <= seen


def test_without_scripts(browser: Browser, site: Stack) -> None:
    made = context(browser, site, scripts=False)
    page = made.new_page()
    page.goto("/account/sign-in?next=/harbor/projects?sort=-name")
    page.fill("#id_username", "admin")
    page.fill("#id_password", site.admin[1])
    page.click("main form button")
    expect(page.locator("#list tbody")).to_contain_text("platform-tools")
    names = page.locator("#list tbody .lead a").all_inner_texts()  # other tests make projects too
    assert len(names) >= 4 and names == sorted(names, reverse=True)
    page.fill("#filter-q", "pay")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#list tbody tr")).to_have_count(1)
    assert "sort=-name" in page.url
    page.get_by_role("link", name="payments", exact=True).click()
    page.get_by_role("link", name="api", exact=True).click()
    expect(page.locator("#list tbody tr")).to_have_count(15)
    expect(page.locator(".copy").first).to_be_hidden()
    page.get_by_role("button", name="ctr", exact=True).click()
    expect(page.locator(".command").first).to_contain_text("ctr images pull")
    made.close()


def test_lost_session_leads_back(profile: BrowserContext, page: Page, site: Stack) -> None:
    path = pages(site)["tags"]
    page.goto(path)
    theme = [cookie for cookie in profile.cookies() if cookie["name"] != "sid"]
    profile.clear_cookies()
    profile.add_cookies(theme)
    page.get_by_role("link", name="Next page").click()
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    page.fill("#id_username", "admin")
    page.fill("#id_password", site.admin[1])
    page.keyboard.press("Enter")
    expect(page.locator("#list tbody tr")).to_have_count(4)


def test_failure_of_a_part_is_said(page: Page, site: Stack) -> None:
    page.goto(pages(site)["tags"])
    page.route("**/*page=2*", lambda route: route.abort())
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    expect(page.locator("#list tbody tr")).to_have_count(15)


@pytest.mark.parametrize("widths", [(360,), pytest.param((360, 768), marks=pytest.mark.slow)])
def test_no_page_is_wider_than_a_phone(browser: Browser, site: Stack, widths: tuple[int, ...]) -> None:
    for width, language in itertools.product(widths, ("en", "zh-hans")):
        made = context(browser, site, size={"width": width, "height": 740}, language=language)
        sign_in(made, *site.admin)
        page = made.new_page()
        for name, path in pages(site).items():
            page.goto(path)
            excess = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert excess == 0, (name, width, language)
        made.close()


def test_drawer_on_a_phone(browser: Browser, site: Stack) -> None:
    made = context(browser, site, size=NARROW)
    page = made.new_page()
    page.goto("/harbor/projects")
    drawer = page.get_by_role("navigation", name="Main")
    expect(drawer).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(drawer).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    made.close()


@pytest.mark.parametrize(
    ("theme", "size"),
    [
        ("light", WIDE),
        pytest.param("dark", WIDE, marks=pytest.mark.slow),
        pytest.param("light", NARROW, marks=pytest.mark.slow),
    ],
)
def test_accessibility(browser: Browser, site: Stack, theme: str, size: dict[str, int]) -> None:
    made = context(browser, site, theme=theme, size=size)
    page = made.new_page()
    found = []

    def examine(name: str) -> None:
        violations = Axe().run(page).response["violations"]
        found.extend(
            (name, item["id"], item["nodes"][0]["html"][:200], item["nodes"][0]["failureSummary"][:300])
            for item in violations
        )

    page.goto("/account/sign-in")
    examine("sign-in")
    page.click("main form button")
    examine("sign-in refused")
    sign_in(made, *site.admin)
    for name, path in pages(site).items():
        page.goto(path)
        examine(name)
    page.goto(pages(site)["tags"])
    of_rows = page.locator(".menu-row summary")
    for summary in [*page.locator(".menu:not(.menu-row) > summary").all(), *of_rows.all()[:1]]:
        if summary.is_visible():
            summary.click()
            examine(f"menu {summary.inner_text()}")
            page.keyboard.press("Escape")  # or it covers the next
    assert found == []
    made.close()


def test_weight_of_a_first_visit(browser: Browser, site: Stack) -> None:
    made = context(browser, site)
    page = made.new_page()
    sizes: dict[str, int] = {}
    page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
    page.goto("/account/sign-in", wait_until="networkidle")
    assert len(sizes) >= 10
    assert sum(sizes.values()) < 250_000
    made.close()
