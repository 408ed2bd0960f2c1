"""The portal without JavaScript: every page is there, and nothing that is shown does nothing."""

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import context, sign_in
from tests.screenshots import administration_pages, pages, project_pages
from tests.support.stack import Stack

# What browsers do by themselves: submit a form, open a popover.
_DEAD = """controls => controls
    .filter(control => control.checkVisibility() && !control.disabled)
    .filter(control => !(control.type === "submit" && control.form) && !control.hasAttribute("popovertarget"))
    .map(control => control.outerHTML.slice(0, 160))"""


@pytest.mark.slow
def test_no_control_is_dead(browser: Browser, site: Stack, ids: dict[str, int]) -> None:
    made = context(browser, site, scripts=False)
    sign_in(made, *site.admin)
    page, found = made.new_page(), []
    paths = pages(site) | project_pages(site) | administration_pages(ids)
    del paths["components"]  # shows developers what parts look like
    for name, path in paths.items():
        answer = page.goto(path)
        assert answer is not None and answer.status == (404 if name == "not-found" else 200), name
        assert page.get_by_role("main").inner_text().strip(), name
        dead = page.eval_on_selector_all('button, [role="button"], a:not([href])', _DEAD)
        found += [(name, html) for html in dead]
    made.close()
    assert found == []
