import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import administration, sample
from tests.browser.chromium import chromium, context, sign_in
from tests.support.stack import Stack


@pytest.fixture(scope="session")
def site() -> Iterator[Stack]:
    """A complete registry with a team's content."""
    with Stack() as running:
        running.start(database="sqlite", HARBOR_OUTBOUND_ALLOWED="127.0.0.0/8")  # where tests listen
        sample.fill(running)
        yield running


@pytest.fixture(scope="session")
def ids(site: Stack) -> dict[str, int]:
    """What administrators made there (administration.fill)."""
    return administration.fill(site)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, site: Stack) -> Iterator[Page]:
    """Of the administrator, signed in."""
    made = context(browser, site)
    sign_in(made, *site.admin)
    yield made.new_page()
    made.close()


@pytest.fixture(autouse=True)
def nothing_chosen(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test chooses in the portal is kept with the account: the next one begins without it."""
    yield
    if "site" in request.fixturenames:
        with closing(sqlite3.connect(request.getfixturevalue("site").data_dir / "harbor.db", timeout=20)) as database:
            database.execute("UPDATE harbor_auth_user SET preferences = NULL")
            database.commit()
