"""Trusts of robots: whose tokens stand for a robot (auth.federation reads them)."""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography import x509
from django.db import IntegrityError, transaction

from auth import federation, robot_names
from auth.actor import Actor
from auth.models import Robot, RobotTrust
from auth.services import grants
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from projects import access

TEXT_MAX = 512
NAME_MAX = 255
TRUSTS_MAX = 20  # of one robot
CLAIMS_MAX = 20
KEYS_MAX = 50
DOCUMENT_MAX = 64 * 1024  # bytes of keys or certificates
# They say which token it is, not whose.
_GENERAL = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti"})
# Issuers that serve everybody: one of these patterns must leave no doubt whose token it is.
_OWNER = r"[^*?:/]+"
_SHARED: dict[str, dict[str, str]] = {
    "https://token.actions.githubusercontent.com": {
        "sub": rf"repo:{_OWNER}/.*",
        "repository": rf"{_OWNER}/.*",
        "job_workflow_ref": rf"{_OWNER}/.*",
        "repository_owner": _OWNER,
        "repository_owner_id": _OWNER,
        "repository_id": _OWNER,
        "enterprise": _OWNER,
        "enterprise_id": _OWNER,
    },
    "https://gitlab.com": {
        "sub": rf"project_path:{_OWNER}/.*",
        "project_path": rf"{_OWNER}/.*",
        "namespace_path": rf"{_OWNER}(/.*)?",
        "namespace_id": _OWNER,
        "project_id": _OWNER,
    },
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A trust as a client asks for it. Keys come from ``jwks``, or ``jwks_uri``, or else by discovery."""

    name: str
    issuer: str
    audience: str
    claims: dict[str, str]
    jwks_uri: str = ""
    jwks: dict[str, Any] | None = None
    ca_certificate: str = ""


def _bad(message: str) -> HarborError:
    return HarborError("BAD_REQUEST", message)


def check(wanted: Wanted) -> None:
    """Raises BAD_REQUEST."""
    for name, text, longest in (
        ("name", wanted.name, NAME_MAX),
        ("issuer", wanted.issuer, TEXT_MAX),
        ("audience", wanted.audience, TEXT_MAX),
    ):
        if not 1 <= len(text.strip()) <= longest or not text.isprintable():
            raise _bad(f"{name} must have 1 to {longest} printable characters")
    if wanted.jwks is not None and wanted.jwks_uri:
        raise _bad("give jwks or jwks_uri, not both")
    if wanted.jwks is not None:
        _check_keys(wanted.jwks)
    else:
        _check_address(*(("jwks_uri", wanted.jwks_uri) if wanted.jwks_uri else ("issuer", wanted.issuer)))
    if wanted.ca_certificate:
        _check_certificate(wanted.ca_certificate)
    _check_claims(wanted)


def _check_address(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0 and not parts.username
    except ValueError:
        sound = False
    if not sound or len(url) > TEXT_MAX or not url.isprintable() or " " in url:
        raise _bad(f"{name} must be an https address, since keys are fetched from there")


def _check_keys(jwks: dict[str, Any]) -> None:
    """Public keys an accepted algorithm can use, and nothing secret."""
    keys = jwks["keys"]
    if not 1 <= len(keys) <= KEYS_MAX or len(json.dumps(jwks)) > DOCUMENT_MAX:
        raise _bad(f"jwks must hold 1 to {KEYS_MAX} keys, {DOCUMENT_MAX} bytes at most")
    kinds = {kind for kind, _ in federation.ALGORITHMS.values()}
    for key in keys:
        kid = str(key.get("kid"))[:100]
        if str(key.get("kty")) not in kinds:
            raise _bad(f"key {kid!r} of jwks is none of the kinds {', '.join(sorted(kinds))}")
        if "d" in key or "k" in key:
            raise _bad(f"key {kid!r} of jwks is a private key; only public ones belong here, and this one is burnt")
        try:
            public = jwt.PyJWK.from_dict(key)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as exc:
            raise _bad(f"key {kid!r} of jwks cannot be read") from exc
        if public.algorithm_name not in federation.ALGORITHMS:
            raise _bad(f"key {kid!r} of jwks is for {public.algorithm_name}, which is not accepted")
        if public.key_type == "RSA" and public.key.key_size not in federation.RSA_BITS:
            raise _bad(f"key {kid!r} of jwks has {public.key.key_size} bits")


def _check_certificate(pem: str) -> None:
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode("ascii"))
    except ValueError:
        certificates = []
    if not certificates or len(pem) > DOCUMENT_MAX:
        raise _bad("ca_certificate must hold certificates in PEM form")


def _check_claims(wanted: Wanted) -> None:
    patterns = wanted.claims
    if len(patterns) > CLAIMS_MAX or not all(
        1 <= len(name) <= NAME_MAX and 1 <= len(pattern) <= TEXT_MAX for name, pattern in patterns.items()
    ):
        raise _bad(f"claims holds {CLAIMS_MAX} patterns at most, of 1 to {TEXT_MAX} characters each")
    if not any(name not in _GENERAL and pattern.strip("*?") for name, pattern in patterns.items()):
        raise _bad("claims must say whose tokens are trusted: at least sub or another claim, and not every value of it")
    shared = _SHARED.get(wanted.issuer.rstrip("/"))
    if shared is not None and not any(
        name in patterns and re.fullmatch(owner, patterns[name], re.DOTALL) for name, owner in shared.items()
    ):
        raise _bad(
            f"{wanted.issuer} issues tokens to everybody: one of {', '.join(shared)} must name the owner without * or ?"
        )


def create(actor: Actor, robot: Robot, wanted: Wanted) -> RobotTrust:
    """Raises BAD_REQUEST, DENIED when the actor could not give what the robot has, CONFLICT for a name that is taken,
    NOT_FOUND when the robot is gone."""
    check(wanted)
    trust = RobotTrust(robot=robot)
    try:
        with transaction.atomic():
            _hold(actor, robot)
            if robot.trusts.count() >= TRUSTS_MAX:
                raise HarborError("PRECONDITION", f"a robot has {TRUSTS_MAX} trusts at most")
            _fill(trust, wanted)
            trust.save(force_insert=True)
            _record(actor, "create", trust)
    except IntegrityError as exc:
        raise HarborError("CONFLICT", f"the robot has a trust called {wanted.name} already") from exc
    return trust


def update(actor: Actor, robot: Robot, trust_id: int, wanted: Wanted) -> None:
    """Replace the trust; registry tokens that were issued by it live out their ten minutes. Raises as
    :func:`create`."""
    check(wanted)
    try:
        with transaction.atomic():
            _hold(actor, robot)
            trust = _locked(robot, trust_id)
            _fill(trust, wanted)
            trust.save()
            _record(actor, "update", trust)
    except IntegrityError as exc:
        raise HarborError("CONFLICT", f"the robot has a trust called {wanted.name} already") from exc


@transaction.atomic
def delete(actor: Actor, robot: Robot, trust_id: int) -> None:
    """Tokens that were issued by it end. Raises NOT_FOUND."""
    trust = _locked(robot, trust_id)
    _record(actor, "delete", trust)
    trust.delete()
    transaction.on_commit(access.forget)


def _hold(actor: Actor, robot: Robot) -> None:
    """The robot stays as it is until the transaction ends; a trust is a way to become it."""
    if not Robot.objects.select_for_update(of=("self",)).filter(pk=robot.pk).exists():
        raise HarborError("NOT_FOUND", f"robot {robot.pk} not found")
    grants.require_owned(actor, grants.grants_of(robot.pk))


def _locked(robot: Robot, trust_id: int) -> RobotTrust:
    trust = RobotTrust.objects.select_for_update(of=("self",)).filter(pk=trust_id, robot=robot).first()
    if trust is None:
        raise HarborError("NOT_FOUND", f"trust {trust_id} not found")
    trust.robot = robot
    return trust


def _fill(trust: RobotTrust, wanted: Wanted) -> None:
    trust.name = wanted.name.strip()
    trust.issuer = wanted.issuer
    trust.audience = wanted.audience
    trust.claims = wanted.claims
    trust.jwks_uri = wanted.jwks_uri
    trust.jwks = wanted.jwks
    trust.ca_certificate = wanted.ca_certificate


def _record(actor: Actor, operation: str, trust: RobotTrust) -> None:
    robot = robot_names.login(trust.robot)
    told = ", ".join(f"{name} {pattern}" for name, pattern in trust.claims.items())
    what = f"{operation} trust {trust.name} of robot {robot}: {trust.issuer} for {trust.audience} with {told}"
    audit.record(
        actor,
        operation,
        "robot-trust",
        f"{robot}/{trust.name}",
        project_id=trust.robot.project_id,
        description=what,
    )
