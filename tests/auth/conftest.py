from collections.abc import Iterator
from typing import Any

import pytest

from auth import credentials, federation, issuer_keys
from tests.cast import admin, api, fresh_memory, world
from tests.support.issuer import Issuer, make_key

KEY = make_key("RS256")
__all__ = ["admin", "api", "fresh_memory", "world"]


@pytest.fixture(autouse=True)
def no_password_is_remembered() -> None:
    """Other tests' accounts have the same names, passwords and hashes."""
    credentials._verified.clear()


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    with Issuer() as server:
        yield server


@pytest.fixture
def issuer(running: Issuer, settings: Any) -> Issuer:
    """With one key, answering well, unknown to us."""
    settings.OUTBOUND_ALLOWED = ["127.0.0.1", "::1"]
    running.keys = {"first": KEY}
    running.mode("ok")
    running.publish()
    issuer_keys.forget()
    federation._verified.clear()
    federation._recorded.clear()
    return running
