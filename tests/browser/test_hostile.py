"""Hostile names and texts change nothing but text, and no page is wider than a phone because of them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import administration, hostile, sample
from tests.browser.chromium import NARROW, context, sign_in
from tests.screenshots import Pages, every_page
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def crooked() -> Iterator[tuple[Stack, Pages]]:
    """A registry full of hostile texts, and its pages."""
    with Stack() as running:
        running.start(database="sqlite")
        sample.fill(running)
        ids = administration.fill(running)
        hostile.fill(running, ids)
        shown = every_page(running, ids)
        base = shown["project-webhooks"]
        with running.api() as api:
            found = api.get("/api/v2.0/projects/payments/webhook/policies").json()
            people = api.get("/api/v2.0/users", params={"page_size": 100}).json()
        member = next(person["user_id"] for person in people if person["username"].startswith("<b"))
        project = base.rpartition("/")[0]
        shown |= {
            "webhook": f"{base}/{found[0]['id']}",
            "webhook-delete": f"{base}/{found[0]['id']}/delete",
            "webhook-deliveries": f"{base}/{found[0]['id']}/deliveries",
            "long-repository": f"{project}/repositories/{hostile.LONG_REPOSITORY.partition('/')[2]}",
            "hostile-user": f"/harbor/users/{member}",
            "hostile-user-delete": f"/harbor/users/delete?pick={member}",
            "search-hostile": "/harbor/search?q=%3Cimg%20src%3Dx%20onerror%3Dpwned%3D1%3E",
            "filter-hostile": "/harbor/projects?q=%22%3E%3Cimg%20src%3Dx%20onerror%3Dpwned%3D1%3E",
        }
        yield running, shown


@pytest.mark.slow
def test_pages_show_them_as_text(browser: Browser, crooked: tuple[Stack, Pages]) -> None:
    stack, shown = crooked
    made = context(browser, stack, size=NARROW)
    sign_in(made, *stack.admin)
    page = made.new_page()
    complaints = _complaints(page)
    found: list[tuple[object, ...]] = []
    for name, path in shown.items():
        answer = page.goto(path)
        assert answer is not None and answer.status == (404 if name == "not-found" else 200), name
        source = answer.text()
        if any(raw in source for raw in ("<img src=x", "<script>pwned", "<b onclick", "<b>pwned")):
            found.append((name, "markup in the page's source"))
        assert "{{7*7}}" in source, name  # the banner is on all of them
        found.extend((name, "injected", html) for html in page.evaluate(hostile.INJECTED))
        found.extend((name, "wider than the window", html) for html in page.evaluate(hostile.WIDER))
        found.extend((name, "complaint", text) for text in complaints if "404" not in text)
        complaints.clear()
    made.close()
    assert found == []


def _complaints(page: Page) -> list[str]:
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("dialog", lambda dialog: found.append(dialog.message))
    return found
