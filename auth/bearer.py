"""Verify the tokens clients carry to ``/v2``."""

import time
from dataclasses import dataclass

import jwt

from auth.keys import token_keys
from harbor_core.lib.ttl import TTLCache

LEEWAY_SECONDS = 60
_verified: TTLCache["Grant"] = TTLCache(8192)


@dataclass(frozen=True, slots=True)
class Grant:
    """A verified token: whose (``auth.actor.Actor.key``), until and since when (epoch seconds), and what for.

    ``access`` maps ``repository:<name>`` or ``registry:catalog`` to actions.
    """

    subject: str
    name: str
    issued_at: float
    expires_at: float
    access: dict[str, frozenset[str]]

    @property
    def expired(self) -> bool:
        return time.time() > self.expires_at + LEEWAY_SECONDS

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.expires_at - time.time())


def verify(token: str) -> Grant | None:
    """The grant of a token with a valid signature, expired or not; None for anything else."""
    grant = _verified.get(token)
    if grant is not None:
        return grant
    if len(token) > 16384:
        return None
    try:
        claims = token_keys.verify(token)
        access = {
            f"{item['type']}:{item['name']}": frozenset(item.get("actions") or ())
            for item in claims.get("access") or ()
        }
        grant = Grant(
            subject=str(claims.get("hsub", "")),
            name=str(claims.get("sub", "")),
            issued_at=float(claims["iat"]),
            expires_at=float(claims["exp"]),
            access=access,
        )
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, AttributeError):
        return None
    _verified.put(token, grant, 300)
    return grant
