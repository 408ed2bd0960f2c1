"""Credentials of remote registries at rest, and as answers show them."""

from harbor_core.lib import crypto
from harbor_core.lib.errors import HarborError

MASK = "*****"  # stands for a secret in answers; sent back, it means the one that is stored


def sealed(secret: str) -> str:
    return crypto.encrypt(secret) if secret else ""


def unsealed(stored: str) -> str:
    """Raises BAD_REQUEST when it was written under a key that is not known here."""
    try:
        return crypto.decrypt(stored) if stored else ""
    except crypto.UndecryptableError as exc:
        raise HarborError("BAD_REQUEST", f"{exc} Give the credentials of the registry again.") from exc
