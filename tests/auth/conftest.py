import pytest

from auth import credentials
from tests.cast import admin, api, fresh_memory, world

__all__ = ["admin", "api", "fresh_memory", "world"]


@pytest.fixture(autouse=True)
def no_password_is_remembered() -> None:
    """Other tests' accounts have the same names, passwords and hashes."""
    credentials._verified.clear()
