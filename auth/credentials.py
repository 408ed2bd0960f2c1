"""From what a request carries to an Actor.

Passwords are slow to check on purpose, so a verified one is remembered for a few minutes per process, under an HMAC
over the account, the password and the account's current password hash: changing the password forgets it at once, and
a disabled account is seen because the row is read on every request.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.utils import timezone

from auth import guard
from auth.actor import Actor, Credential, Kind
from auth.models import Robot, User
from harbor_core.lib.errors import HarborError
from harbor_core.lib.ttl import TTLCache
from harbor_core.services.config import config_get

VERIFIED_SECONDS = 300
_verified: TTLCache[bool] = TTLCache(10_000)


@dataclass(frozen=True, slots=True)
class BasicCredential:
    username: str
    password: str


def parse_basic(header: str) -> BasicCredential | None:
    """``Basic base64(user:password)`` (RFC 7617, UTF-8); None when it is anything else."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        username, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return BasicCredential(username, password) if colon and username and "\0" not in username else None


def secret_digest(secret: str) -> str:
    """Keyed SHA-256 of a long random secret, as it is stored."""
    return hmac.new(settings.SECRET_KEY.encode(), b"robot:" + secret.encode(), hashlib.sha256).hexdigest()


def _memo_key(username: str, password: str, stored: str) -> str:
    text = "\0".join((username, password, stored))
    return hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def authenticate_basic(credential: BasicCredential, address: str) -> Actor | None:
    """The actor, or None for a wrong, disabled or expired account. Raises TOOMANYREQUESTS while it has to wait."""
    robot_prefix = config_get("robot_name_prefix")
    if credential.username.startswith(robot_prefix):
        robot = _robot(credential.username[len(robot_prefix) :])
        if robot is not None:
            return _checked_robot(robot, credential, address)
    return _user(credential, address)


def _user(credential: BasicCredential, address: str) -> Actor | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, username, password, sysadmin_flag FROM harbor_auth_user WHERE username = %s AND NOT deleted",
            [credential.username],
        )
        row = cursor.fetchone()
    if row is not None:
        user_id, username, stored, sysadmin = row
        actor = Actor(Kind.USER, user_id, username, bool(sysadmin), Credential.BASIC)
        memo = _memo_key(username, credential.password, stored)
        if _verified.get(memo):
            return actor
    guard.check(credential.username, address)
    if row is None or not check_local_password(user_id, credential.password):
        if row is None:
            User().set_password(credential.password)  # the same time as for a name that exists
        guard.failed(credential.username, address)
        return None
    guard.succeeded(credential.username, address)
    # The hasher may have upgraded the stored hash meanwhile; the memo then simply misses once more.
    _verified.put(memo, True, VERIFIED_SECONDS)
    return actor


def check_local_password(user_id: int, password: str) -> bool:
    user = User.objects.filter(pk=user_id, deleted=False).first()
    return user is not None and user.check_password(password)


def _robot(login: str) -> Robot | None:
    """The enabled robot that signs in as ``<prefix>name`` or ``<prefix>project+name``."""
    project_name, plus, name = login.rpartition("+")
    robots = Robot.objects.filter(name=name, disabled=False).only("id", "secret_digest", "expires_at")
    robots = (
        robots.filter(project__name=project_name, project__deleted=False)
        if plus
        else robots.filter(project__isnull=True)
    )
    robot = robots.first()
    expired = robot is not None and robot.expires_at is not None and robot.expires_at <= timezone.now()
    return None if expired else robot


def _checked_robot(robot: Robot, credential: BasicCredential, address: str) -> Actor | None:
    """Secrets may be chosen by people, so guessing is slowed down as for users; a known good one costs no counter."""
    memo = _memo_key(credential.username, credential.password, robot.secret_digest)
    if not _verified.get(memo):
        guard.check(credential.username, address)
        if not hmac.compare_digest(robot.secret_digest, secret_digest(credential.password)):
            guard.failed(credential.username, address)
            return None
        guard.succeeded(credential.username, address)
        _verified.put(memo, True, VERIFIED_SECONDS)
    return Actor(Kind.ROBOT, robot.pk, credential.username, False, Credential.BASIC)


def authenticate_header(header: str, address: str) -> Actor | None:
    """Actor of an ``Authorization: Basic`` header; None when it names nobody."""
    credential = parse_basic(header)
    return authenticate_basic(credential, address) if credential else None


def sign_in(username: str, password: str, address: str) -> User:
    """The user of a login form. Raises UNAUTHORIZED, or TOOMANYREQUESTS while the account has to wait."""
    actor = _user(BasicCredential(username, password), address) if username and "\0" not in username else None
    if actor is None:
        raise HarborError("UNAUTHORIZED", "wrong user name or password")
    return User.objects.get(pk=actor.id)
