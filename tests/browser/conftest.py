from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import sample
from tests.browser.chromium import chromium
from tests.support.stack import Stack


@pytest.fixture(scope="session")
def site() -> Iterator[Stack]:
    """A complete registry with a team's content."""
    with Stack() as running:
        running.start(database="sqlite")
        sample.fill(running)
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running
