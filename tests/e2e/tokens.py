"""Tokens as an attacker, or somebody with the stack's own key, would make them."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.utils import base64url_encode

from auth.keys import key_id
from tests.support.stack import Stack


def signing_key(stack: Stack) -> ec.EllipticCurvePrivateKey:
    """The key the stack signs with."""
    newest = max((stack.data_dir / "keys" / "token").glob("*.pem"))
    key = load_pem_private_key(newest.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def sign(claims: dict[str, Any], key: ec.EllipticCurvePrivateKey, kid: str | None = None) -> str:
    return jwt.encode(claims, key, "ES256", {"kid": key_id(key.public_key()) if kid is None else kid})


def assemble(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64url_encode(part).decode() for part in parts)


def ending_in(stack: Stack, seconds: float, token: str) -> str:
    """The same grant, accepted for only so many seconds more: clocks may differ by a minute, which is counted in."""
    claims = claims_of(token) | {"exp": int(time.time() + seconds) - 60}
    return sign(claims, signing_key(stack))


def registry_socket(stack: Stack) -> Path:
    return stack.run_dir / "registry.sock"
