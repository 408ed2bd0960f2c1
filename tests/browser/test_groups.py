"""Groups of an identity provider, from their form to a role in a project; hostile names among them."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import hostile
from tests.browser.chromium import NARROW, context, sign_in
from tests.support.stack import Stack

DIRECTORY = "cn=developers,ou=groups,dc=example,dc=com"


@pytest.fixture(scope="module")
def federated() -> Iterator[Stack]:
    """A registry whose accounts come from a directory."""
    with Stack() as running:
        running.start(database="sqlite", CONFIG_OVERWRITE_JSON='{"auth_mode": "ldap_auth"}')
        yield running


@pytest.fixture
def page(browser: Browser, federated: Stack) -> Iterator[Page]:
    made = context(browser, federated)
    sign_in(made, *federated.admin)
    yield made.new_page()
    made.close()


def test_a_group_gets_a_name_and_a_role_and_goes(page: Page) -> None:
    page.goto("/harbor/groups")
    page.get_by_role("link", name="New group").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Distinguished name").fill("developers")
    dialog.get_by_role("button", name="Add group").click()
    expect(dialog.locator(".field-error")).to_contain_text("This is not a distinguished name.")
    dialog.get_by_label("Distinguished name").fill(DIRECTORY)
    dialog.get_by_role("button", name="Add group").click()
    row = page.get_by_role("row", name="developers")
    expect(row).to_contain_text(DIRECTORY)

    row.locator("summary").click()
    row.get_by_role("link", name="Rename").click()
    dialog.get_by_label("Name").fill("Builders")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The group is called Builders now.")).to_be_visible()

    page.goto("/harbor/projects/1/members")
    page.get_by_role("link", name="Add member").click()
    dialog.get_by_role("radio", name="Group", exact=True).check()
    dialog.get_by_label("Name", exact=True).fill("Builders")
    dialog.get_by_role("radio", name="Maintainer").check()
    dialog.get_by_role("button", name="Add member").click()
    expect(page.get_by_role("row", name="Builders")).to_contain_text("Maintainer")

    page.goto("/harbor/groups?q=build")
    row = page.get_by_role("row", name="Builders")
    row.locator("summary").click()
    row.get_by_role("link", name="Delete").click()
    expect(dialog).to_contain_text("It loses its role in 1 project.")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Group Builders was deleted.")).to_be_visible()
    assert page.url.endswith("/harbor/groups?q=build"), "the list is filtered as it was"
    page.goto("/harbor/projects/1/members")
    expect(page.get_by_role("row", name="Builders")).to_have_count(0)


def test_hostile_names_of_groups_are_text(browser: Browser, federated: Stack) -> None:
    with federated.api() as api:
        for number, name in enumerate((hostile.PLAIN, hostile.LONG)):
            body = {"group_name": name, "group_type": 1, "ldap_group_dn": f"cn=group{number},{DIRECTORY}"}
            answer = api.post("/api/v2.0/usergroups", json=body)
            assert answer.status_code == 201, answer.text
    group = int(answer.headers["Location"].rpartition("/")[2])
    for theme, language in (("light", "en"), ("dark", "zh-hans")):
        made = context(browser, federated, size=NARROW, theme=theme, language=language)
        sign_in(made, *federated.admin)
        page = made.new_page()
        for path in (
            "groups",
            "groups/new",
            *(f"groups/{group - back}{form}" for back in (0, 1) for form in ("", "/delete")),
        ):
            shown = page.goto(f"/harbor/{path}")
            assert shown is not None and shown.status == 200, path
            assert page.evaluate(hostile.INJECTED) == [], path
            assert page.evaluate(hostile.WIDER) == [], path
            assert Axe().run(page).response["violations"] == [], path
        made.close()
