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
from django.utils import timezone

from auth import federation, guard, last_used, personal_tokens, robot_names
from auth.actor import Actor, Credential, Kind
from auth.models import Robot, User
from harbor_core.lib import sql
from harbor_core.lib.errors import HarborError
from harbor_core.lib.ttl import TTLCache

VERIFIED_SECONDS = 300
_USER = "SELECT id, username, password, sysadmin_flag FROM harbor_auth_user WHERE username = %s AND NOT deleted"
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
    if personal_tokens.is_token(credential.password):
        return personal_tokens.actor_of_secret(credential.password, address, username=credential.username)
    robot = find_robot(credential.username)
    if robot is not None:
        return _checked_robot(robot, credential.password, address)
    return _user(credential, address)


def _user(credential: BasicCredential, address: str) -> Actor | None:
    row = sql.fetch_one(_USER, [credential.username])
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


def find_robot(login: str) -> Robot | None:
    """The enabled robot with this login name, or with this alias if no user bears it."""
    robot = robot_names.find(login, timezone.now())
    if robot is None:
        return None
    by_alias = not login.startswith(robot_names.prefix())
    return None if by_alias and sql.fetch_one(_USER, [login]) else robot


def _checked_robot(robot: Robot, secret: str, address: str) -> Actor | None:
    """Secrets may be chosen by people, so guessing is slowed down as for users; a known good one costs no counter."""
    if federation.is_jwt(secret):
        return _federated(robot, secret)
    name = robot_names.login(robot)
    given = secret_digest(secret)
    valid = [digest for digest in robot.live_digests(timezone.now()) if hmac.compare_digest(digest, given)]
    memo = _memo_key(f"robot:{robot.pk}", secret, valid[0] if valid else "")
    if not valid or not _verified.get(memo):
        guard.check(name, address)
        if not valid:
            guard.failed(name, address)
            return None
        guard.succeeded(name, address)
        _verified.put(memo, True, VERIFIED_SECONDS)
    last_used.note(Robot, robot.pk, robot.last_used_at)
    return Actor(Kind.ROBOT, robot.pk, name, False, Credential.BASIC)


def _federated(robot: Robot, token: str) -> Actor | None:
    """A token that its issuer signed cannot be guessed, so nothing is counted."""
    try:
        return federation.actor_of(robot, token)
    except federation.UntrustedError:
        return None


def authenticate_header(header: str, address: str) -> Actor | None:
    """Actor of an ``Authorization`` header: Basic, or Bearer with a personal token; None when it names nobody."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        secret = value.strip()
        return personal_tokens.actor_of_secret(secret, address) if personal_tokens.is_token(secret) else None
    credential = parse_basic(header)
    return authenticate_basic(credential, address) if credential else None


def sign_in(username: str, password: str, address: str) -> User:
    """The user of a login form. Raises UNAUTHORIZED, or TOOMANYREQUESTS while the account has to wait."""
    actor = _user(BasicCredential(username, password), address) if username and "\0" not in username else None
    if actor is None:
        raise HarborError("UNAUTHORIZED", "wrong user name or password")
    return User.objects.get(pk=actor.id)
