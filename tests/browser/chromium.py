"""Debian's Chromium under Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.support.services import find
from tests.support.stack import Stack

WIDE = {"width": 1440, "height": 900}
NARROW = {"width": 390, "height": 844}
PATIENCE = 15_000  # milliseconds, for a busy machine
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find("chromium"), args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def context(
    browser: Browser,
    stack: Stack,
    *,
    size: dict[str, int] | None = None,
    theme: str = "light",
    language: str = "en",
    scripts: bool = True,
) -> BrowserContext:
    """A fresh browser profile that has chosen a theme and a language."""
    made = browser.new_context(
        base_url=stack.url, viewport=size or WIDE, java_script_enabled=scripts, ignore_https_errors=True, locale="en-US"
    )
    made.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    made.add_cookies(
        [
            {"name": name, "value": value, "url": stack.url}
            for name, value in (("harbor_theme", theme), ("harbor_lang", language))
        ]
    )
    return made


def sign_in(made: BrowserContext, name: str, password: str) -> None:
    """Through the form; the profile keeps the session."""
    page = made.new_page()
    page.goto("/account/sign-in")
    page.fill("#id_username", name)
    page.fill("#id_password", password)
    page.click("main form button")
    page.wait_for_url("**/harbor/projects")
    page.close()
