"""Secrets that have to be read again (passwords of other systems, client secrets), encrypted at rest.

Fernet under a key derived from SECRET_KEY. What was written under one of SECRET_KEY_FALLBACKS is still read, so that
the key can be changed: put the new one first, re-encrypt what is stored (:func:`rotate`), then drop the old one.
"""

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class UndecryptableError(ValueError):
    """Written under a key that is not known here, or damaged."""


def encrypt(secret: str) -> str:
    """ASCII text that only a holder of SECRET_KEY can read; the same secret looks different each time."""
    return _fernet().encrypt(secret.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """The secret again. Raises UndecryptableError."""
    try:
        return _fernet().decrypt(token.encode()).decode()
    except InvalidToken:
        raise UndecryptableError("a stored secret cannot be read: was HARBOR_SECRET_KEY changed?") from None


def rotate(token: str) -> str:
    """The same secret under the current key. Raises UndecryptableError."""
    try:
        return _fernet().rotate(token.encode()).decode("ascii")
    except InvalidToken:
        raise UndecryptableError("a stored secret cannot be read: was HARBOR_SECRET_KEY changed?") from None


def _fernet() -> MultiFernet:
    return _of_keys(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@lru_cache(maxsize=4)
def _of_keys(*secrets: str) -> MultiFernet:
    return MultiFernet([Fernet(_derived(secret)) for secret in secrets])


def _derived(secret: str) -> bytes:
    """Apart from every other use of SECRET_KEY."""
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"harbor secrets at rest").derive(secret.encode())
    return base64.urlsafe_b64encode(key)
