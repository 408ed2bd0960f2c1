"""Hands that stay on the keyboard."""

from playwright.sync_api import Locator, Page

FAR = 150  # stops on the longest page


def tab_to(page: Page, wanted: Locator) -> None:
    """With the Tab key alone. Raises AssertionError when it cannot be reached."""
    wanted.wait_for()
    for _ in range(FAR):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not reach {wanted}")


def activate(page: Page, wanted: Locator) -> None:
    tab_to(page, wanted)
    page.keyboard.press("Enter")
