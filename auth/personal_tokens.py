"""Personal tokens: what they look like, and whom they stand for.

``hbr_``, 40 random characters, and 6 of checksum (CRC32 of the random ones), all of 0-9A-Za-z: scanners of source code
recognise one without asking us, and a mistyped one is told from a revoked one. Long and random, so one keyed SHA-256 is
stored and one statement answers; nobody guesses it, so nothing is counted and nobody waits.
"""

import hashlib
import hmac
import json
import re
import secrets
import string
import zlib
from typing import Any

from django.conf import settings
from django.utils import timezone

from auth import last_used
from auth.actor import Actor, Credential, Kind
from auth.models import PersonalToken
from auth.scopes import Scope, TokenScope, with_implied
from harbor_core.lib import sql

PREFIX = "hbr_"
HINT_LENGTH = 4
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SHAPE = re.compile(rf"{PREFIX}([0-9A-Za-z]{{40}})([0-9A-Za-z]{{6}})")
_SELECT = """
    SELECT t.id, t.scopes, t.projects, t.last_used_at IS NULL OR t.last_used_at < %s, u.id, u.username, u.sysadmin_flag
    FROM harbor_auth_personaltoken t JOIN harbor_auth_user u ON u.id = t.user_id
    WHERE NOT u.deleted AND (t.expires_at IS NULL OR t.expires_at > %s)
"""
_BY_SECRET = f"{_SELECT} AND t.secret_digest = %s"
_BY_ID = f"{_SELECT} AND t.id = %s"


def generate() -> str:
    """A new secret."""
    random = "".join(secrets.choice(_ALPHABET) for _ in range(40))
    return f"{PREFIX}{random}{_checksum(random)}"


def is_token(text: str) -> bool:
    """Does it look like one, checksum included?"""
    match = _SHAPE.fullmatch(text)
    return match is not None and _checksum(match[1]) == match[2]


def digest(secret: str) -> str:
    """Keyed SHA-256, as it is stored."""
    return hmac.new(settings.SECRET_KEY.encode(), b"personal token:" + secret.encode(), hashlib.sha256).hexdigest()


def _checksum(random: str) -> str:
    number, digits = zlib.crc32(random.encode("ascii")), ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        digits = _ALPHABET[rest] + digits
    return digits


def actor_of_secret(secret: str, address: str, *, username: str | None = None) -> Actor | None:
    """The owner, narrowed to what the token is for; None for one that is not (or no longer) valid, or whose owner is
    not called ``username``. One statement."""
    row = _find(_BY_SECRET, digest(secret))
    if row is None or (username is not None and row[5] != username):
        return None
    if row[3]:
        last_used.note(PersonalToken, row[0], None, last_used_address=address[:64])
    return _actor(row, Credential.BEARER if username is None else Credential.BASIC)


def actor_of_id(number: int) -> Actor | None:
    """As :func:`actor_of_secret`, for a registry token that was issued to this personal token."""
    row = _find(_BY_ID, number)
    return None if row is None else _actor(row, Credential.BEARER)


def _find(statement: str, value: str | int) -> tuple[Any, ...] | None:
    now = timezone.now()
    return sql.fetch_one(statement, [sql.time(now - last_used.INTERVAL), sql.time(now), value])


def _actor(row: tuple[Any, ...], credential: Credential) -> Actor:
    token_id, scopes, projects, _, user_id, username, sysadmin = row
    names = with_implied(json.loads(scopes))
    scope = TokenScope(names, frozenset(json.loads(projects)))
    administers = bool(sysadmin) and Scope.ADMIN in names and not scope.projects
    return Actor(Kind.USER, user_id, username, administers, credential, scope, f"t:{token_id}")
