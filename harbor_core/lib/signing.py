"""Signatures of what is posted, as Standard Webhooks 1.0 has them: HMAC-SHA256 over ``id.timestamp.body``."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
KEY_BYTES = 32


def new_secret() -> str:
    """``whsec_`` and a random key in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def headers(message_id: str, timestamp: int, body: bytes, keys: Sequence[str] = ()) -> dict[str, str]:
    """``webhook-id``, ``webhook-timestamp`` (seconds), and with secrets ``webhook-signature``: one for each, so that a
    receiver that knows any of them is content."""
    found = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if keys:
        message = f"{message_id}.{timestamp}.".encode() + body
        found["webhook-signature"] = " ".join(_signature(message, key) for key in keys)
    return found


def _signature(message: bytes, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return f"v1,{base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()}"
