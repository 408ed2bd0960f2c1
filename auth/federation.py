"""Tokens of other issuers that stand for a robot (docs/tokens.md): which robot trusts this one?

A trust names issuer, audience and patterns of claims. Signature and times are checked for each trust with its own keys,
so what one project trusts says nothing about another. To whoever brings a token that is not trusted every reason looks
the same; the log tells them apart.
"""

import hashlib
import json
import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jwt
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from auth import issuer_keys, last_used, robot_names
from auth.actor import Actor, Credential, Kind
from auth.issuer_keys import Jwk, Source
from auth.models import Robot, RobotTrust
from harbor_core.lib.ttl import TTLCache
from harbor_core.services import audit

LEEWAY_SECONDS = 60
MAX_AGE_SECONDS = 24 * 3600
VERIFIED_SECONDS = 60.0
MAX_AUDIENCES = 20
RSA_BITS = range(2048, 8193)
MAX_MATCHING = 50
# Public keys only: no secret is shared with an issuer, and "none" is no signature. The kind of key each needs.
ALGORITHMS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", "")),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
_SHAPE = re.compile(r"e[wy][A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# A chosen secret of a robot is shorter, and no signed token is.
_MIN_LENGTH, _MAX_LENGTH = 129, 16 * 1024
NOT_TRUSTED = "no robot trusts this token"
_SEVERAL = "several robots trust this token, name one as account"
Claims = dict[str, Any]

logger = logging.getLogger(__name__)
_verified: TTLCache[bool] = TTLCache(10_000)
_recorded: TTLCache[bool] = TTLCache(10_000)


class UntrustedError(Exception):
    """The token is not accepted. The message says why in one sentence and tells nothing that is not in the token."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A token as it was brought, nothing of it verified."""

    token: str
    algorithm: str
    kid: str | None
    issuer: str
    audiences: tuple[str, ...]
    claims: Claims


def is_jwt(text: str) -> bool:
    """Does it look like one (RFC 7519, compact serialisation)?"""
    return _MIN_LENGTH <= len(text) <= _MAX_LENGTH and _SHAPE.fullmatch(text) is not None


def read(token: str) -> Presented:
    """Raises UntrustedError for what no issuer's signature could make acceptable."""
    if len(token) > _MAX_LENGTH:
        raise UntrustedError("the token is too long")
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError) as exc:
        raise UntrustedError("the token cannot be read") from exc
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise UntrustedError(f"tokens must be signed with one of {', '.join(ALGORITHMS)}")
    if "crit" in header or "b64" in header or not isinstance(kid, str | None):
        raise UntrustedError("the header of the token is not supported")
    issuer, audience = claims.get("iss"), claims.get("aud")
    audiences = _texts(audience if isinstance(audience, list) else [audience])
    if not _texts([issuer]) or not 0 < len(audiences) <= MAX_AUDIENCES:
        raise UntrustedError("the token must name its issuer and its audience")
    _check_times(claims)
    return Presented(token, algorithm, kid, str(issuer), audiences, claims)


def _texts(values: list[Any]) -> tuple[str, ...]:
    """Those a trust could name."""
    return tuple(value for value in values if isinstance(value, str) and value and "\0" not in value)


def _check_times(claims: Claims) -> None:
    now = time.time()
    times = [claims.get(name) for name in ("exp", "iat", "nbf")]
    expires, issued, begins = (value if isinstance(value, int | float) else None for value in times)
    if expires is None or issued is None or (times[2] is not None and begins is None):
        raise UntrustedError("the token must say when it was issued and when it expires")
    if expires < now - LEEWAY_SECONDS:
        raise UntrustedError("the token has expired")
    if issued > now + LEEWAY_SECONDS or (begins is not None and begins > now + LEEWAY_SECONDS):
        raise UntrustedError("the token is not valid yet")
    if issued < now - MAX_AGE_SECONDS - LEEWAY_SECONDS:
        raise UntrustedError(f"the token is older than {MAX_AGE_SECONDS // 3600} hours")


# ---------------------------------------------------------------------- which trust


def robot_of(token: str) -> Actor:
    """The one robot that trusts the token. Raises UntrustedError, or SERVICE_UNAVAILABLE when the issuer's keys cannot
    be had."""
    presented = read(token)
    alive = _trusts(presented).filter(robot__disabled=False).exclude(robot__project__deleted=True)
    alive = alive.exclude(robot__expires_at__lte=timezone.now())
    # There may be thousands that trust a big issuer: patterns decide first, and only they are read.
    patterns = alive.values_list("pk", "claims").iterator(chunk_size=1000)
    keys = [key for key, wanted in patterns if matches(wanted, presented.claims)]
    if len(keys) > MAX_MATCHING:
        raise UntrustedError(_SEVERAL)
    found = {trust.robot_id: trust for trust in _trusting(presented, alive.filter(pk__in=keys))}
    if len(found) != 1:
        raise UntrustedError(_SEVERAL if found else NOT_TRUSTED)
    return _sign_in(next(iter(found.values())), presented)


def actor_of(robot: Robot, token: str) -> Actor:
    """This robot (enabled, not expired), if it trusts the token. Raises as :func:`robot_of`."""
    presented = read(token)
    trust = next(_trusting(presented, _trusts(presented).filter(robot=robot)), None)
    if trust is None:
        raise UntrustedError(NOT_TRUSTED)
    return _sign_in(trust, presented)


def _trusts(presented: Presented) -> "QuerySet[RobotTrust]":
    trusts = RobotTrust.objects.filter(issuer=presented.issuer, audience__in=presented.audiences)
    return trusts.select_related("robot__project").order_by("pk")


def _trusting(presented: Presented, trusts: Iterable[RobotTrust]) -> Iterator[RobotTrust]:
    for trust in trusts:
        if not matches(trust.claims, presented.claims):
            logger.info("a token of %s was refused by trust %d: its claims do not match", presented.issuer, trust.pk)
            continue
        try:
            _verify(trust, presented)
        except jwt.PyJWTError as exc:
            logger.info("a token of %s was refused by trust %d: %s", presented.issuer, trust.pk, exc)
            continue
        yield trust


def _sign_in(trust: RobotTrust, presented: Presented) -> Actor:
    """Remember the use; the first time a process sees the token it goes on record, with the claims that count."""
    robot = trust.robot
    actor = Actor(Kind.ROBOT, robot.pk, robot_names.login(robot), False, Credential.BEARER, through=f"f:{trust.pk}")
    last_used.note(RobotTrust, trust.pk, trust.last_used_at)
    last_used.note(Robot, robot.pk, robot.last_used_at)
    key = _digest(presented.token, str(trust.pk))
    if not _recorded.get(key):
        _recorded.put(key, True, MAX_AGE_SECONDS)
        shown = {"sub": presented.claims.get("sub")} | {name: claim(presented.claims, name) for name in trust.claims}
        told = ", ".join(f"{name} {str(value)[:200]}" for name, value in shown.items() if value is not None)
        what = f"login robot {actor.name} by trust {trust.name} with a token of {presented.issuer}: {told}"
        with transaction.atomic():
            audit.record(actor, "login", "robot", actor.name, project_id=robot.project_id, description=what)
    return actor


# ---------------------------------------------------------------------- claims


def claim(claims: Claims, name: str) -> Any:
    """The claim of this name, or the one a path of names leads to (``kubernetes.io/namespace``); None without one."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("/"):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def matches(patterns: Mapping[str, str], claims: Claims) -> bool:
    """Does every pattern match its claim (one of its values, if it is a list)?"""
    for name, pattern in patterns.items():
        value = claim(claims, name)
        if not any(_matches(pattern, item) for item in (value if isinstance(value, list) else [value])):
            return False
    return True


def _matches(pattern: str, value: Any) -> bool:
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, int):
        value = str(value)
    return isinstance(value, str) and _compiled(pattern).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """``*`` stands for any characters, ``?`` for one."""
    first, *rest = (re.escape(part).replace(r"\?", ".") for part in re.sub(r"\*+", "*", pattern).split("*"))
    if not rest:
        return re.compile(first, re.DOTALL)
    # Each part where it is first met, without going back: time grows with the length, however many stars there are.
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.DOTALL)


# ---------------------------------------------------------------------- signatures


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _verify(trust: RobotTrust, presented: Presented) -> None:
    """Signature, issuer, audience and times, with the trust's keys. Raises jwt.PyJWTError, SERVICE_UNAVAILABLE."""
    own = json.dumps(trust.jwks) if trust.jwks else ""
    memo = _digest(presented.token, trust.issuer, trust.audience, trust.jwks_uri, trust.ca_certificate, own)
    if _verified.get(memo):
        return
    source = Source(trust.issuer, trust.jwks_uri, trust.ca_certificate)
    keys = trust.jwks["keys"] if trust.jwks else issuer_keys.keys_of(source, presented.kid)
    failure: Exception = jwt.InvalidKeyError(f"no key {presented.kid!r} for {presented.algorithm}")
    for key in keys:
        if not _fits(key, presented):
            continue
        try:
            expires = _decode(key, trust, presented)["exp"]
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as exc:  # what an issuer publishes may be anything
            failure = exc
            continue
        _verified.put(memo, True, min(VERIFIED_SECONDS, expires + LEEWAY_SECONDS - time.time()))
        return
    raise jwt.InvalidTokenError(str(failure)) from failure


def _fits(key: Jwk, presented: Presented) -> bool:
    """The key the token names (any, when it names none), of the kind its algorithm needs, meant for signatures."""
    kind, curve = ALGORITHMS[presented.algorithm]
    operations = key.get("key_ops")
    return (
        (presented.kid is None or key.get("kid") == presented.kid)
        and key.get("kty") == kind
        and (not curve or key.get("crv") == curve)
        and key.get("alg") in (None, presented.algorithm)
        and key.get("use") in (None, "sig")
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
        and "d" not in key
    )


def _decode(key: Jwk, trust: RobotTrust, presented: Presented) -> Claims:
    public = jwt.PyJWK.from_dict(key, presented.algorithm)
    if public.key_type == "RSA" and public.key.key_size not in RSA_BITS:
        raise jwt.InvalidKeyError(f"an RSA key must have {RSA_BITS.start} to {RSA_BITS.stop - 1} bits")
    claims: Claims = jwt.decode(
        presented.token,
        public,
        [presented.algorithm],
        issuer=trust.issuer,
        audience=trust.audience,
        leeway=LEEWAY_SECONDS,
        options={"require": ["iss", "aud", "exp", "iat"]},
    )
    return claims
