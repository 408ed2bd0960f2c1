"""Secrets at rest."""

from typing import Any

import pytest

from harbor_core.lib import crypto


def test_round_trip() -> None:
    token = crypto.encrypt("geheim ✓")
    assert "geheim" not in token
    assert token.isascii()
    assert crypto.decrypt(token) == "geheim ✓"
    assert crypto.encrypt("geheim ✓") != token


def test_the_key_can_be_changed(settings: Any) -> None:
    old = settings.SECRET_KEY
    token = crypto.encrypt("x")
    settings.SECRET_KEY = "another key that is long enough to be one"
    with pytest.raises(crypto.UndecryptableError):
        crypto.decrypt(token)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert crypto.decrypt(token) == "x"
    renewed = crypto.rotate(token)
    settings.SECRET_KEY_FALLBACKS = []
    assert crypto.decrypt(renewed) == "x"
    with pytest.raises(crypto.UndecryptableError):
        crypto.rotate(token)


@pytest.mark.parametrize("token", ["", "x", "gAAAAA==", "ünlesbar", "\0"])
def test_damage_is_noticed(token: str) -> None:
    with pytest.raises(crypto.UndecryptableError):
        crypto.decrypt(token)
