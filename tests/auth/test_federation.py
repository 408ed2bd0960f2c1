"""Tokens of other issuers for robots: whom they stand for, what is checked, and where the keys come from."""

import base64
import contextlib
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from auth import bearer, credentials, federation, issuer_keys, last_used
from auth.federation import UntrustedError
from auth.models import Robot, RobotTrust
from auth.rbac import Role
from auth.services import trusts
from harbor_core.lib.errors import HarborError
from harbor_core.models import AuditLog
from harbor_core.registry import authorize
from projects import access
from projects.models import Member, Project
from tests.cast import World, grant_robot, make_project, make_robot
from tests.support.issuer import AUDIENCE, DISCOVERY, Issuer, make_key, public_jwk

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
SUBJECT = "repo:octo/app"
pytestmark = pytest.mark.usefixtures("token_keys")


KEY = make_key("RS256")


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    with Issuer() as server:
        yield server


@pytest.fixture
def issuer(running: Issuer, settings: Any) -> Issuer:
    """With one key, answering well, unknown to us."""
    settings.OUTBOUND_ALLOWED = ["127.0.0.1", "::1"]
    running.keys = {"first": KEY}
    running.mode("ok")
    running.publish()
    issuer_keys.forget()
    federation._verified.clear()
    federation._recorded.clear()
    return running


def trust(robot: Robot, server: Issuer, /, **values: Any) -> RobotTrust:
    fields = {
        "name": "ci",
        "issuer": server.url,
        "audience": AUDIENCE,
        "claims": {"sub": SUBJECT},
        "ca_certificate": server.certificate,
    }
    return RobotTrust.objects.create(robot=robot, **(fields | values))


def exchange(token: str, scope: str | None = "repository:team/app:pull,push,delete", **form: Any) -> Any:
    fields = {
        "grant_type": EXCHANGE,
        "subject_token": token,
        "subject_token_type": JWT_TYPE,
        "service": "harbor-registry",
        "scope": scope,
    }
    return _post({name: value for name, value in (fields | form).items() if value is not None})


def _post(data: dict[str, Any]) -> Any:
    return Client().generic("POST", "/service/token", urlencode(data, doseq=True), "application/x-www-form-urlencoded")


def refused(token: str, robot: Robot) -> str:
    """Why the robot does not accept the token."""
    with pytest.raises(UntrustedError) as caught:
        federation.actor_of(robot, token)
    assert signed_in("robot$team+ci", token) is None
    return str(caught.value)


def signed_in(login: str, token: str) -> Any:
    header = "Basic " + base64.b64encode(f"{login}:{token}".encode()).decode()
    return credentials.authenticate_header(header, "192.0.2.1")


# ---------------------------------------------------------------------- the exchange


def test_exchange(world: World, issuer: Issuer) -> None:
    made = trust(world.robot, issuer)
    answer = exchange(issuer.token())
    body = answer.json()
    assert answer.status_code == 200, body
    assert answer["Cache-Control"] == "no-store"
    assert body["token"] == body["access_token"]
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 600)
    assert body["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    grant = bearer.verify(body["token"])
    assert grant is not None
    assert (grant.name, grant.subject) == ("robot$team+ci", f"f:{made.pk}")
    assert grant.access == {"repository:team/app": frozenset({"pull", "push"})}
    assert 500 < grant.seconds_left <= 600


def test_the_registry_accepts_what_was_exchanged(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)
    environ = {
        "HTTP_AUTHORIZATION": f"Bearer {exchange(issuer.token()).json()['token']}",
        "HTTP_HOST": "localhost:8080",
    }
    caller = authorize.authorize(environ, "team/app", "push")
    assert (caller.actor.name, caller.actor.id) == ("robot$team+ci", world.robot.pk)
    with pytest.raises(HarborError):
        authorize.authorize(environ, "team/app", "delete")


@pytest.mark.parametrize("what", ["trust", "robot disabled", "robot expired", "project", "robot"])
def test_it_ends_with_what_it_rests_on(world: World, issuer: Issuer, what: str) -> None:
    trust(world.robot, issuer)
    environ = {
        "HTTP_AUTHORIZATION": f"Bearer {exchange(issuer.token()).json()['token']}",
        "HTTP_HOST": "localhost:8080",
    }
    assert authorize.authorize(environ, "team/app", "pull")
    ends: dict[str, Callable[[], object]] = {
        "trust": lambda: RobotTrust.objects.all().delete(),
        "robot disabled": lambda: Robot.objects.update(disabled=True),
        "robot expired": lambda: Robot.objects.update(expires_at=timezone.now() - timedelta(seconds=1)),
        "project": lambda: Project.objects.filter(pk=world.project.pk).update(deleted=True),
        "robot": lambda: world.robot.delete(),
    }
    ends[what]()
    access.forget()  # in other processes: ACCESS_CACHE_SECONDS
    with pytest.raises(HarborError) as caught:
        authorize.authorize(environ, "team/app", "pull")
    assert caught.value.status == 401
    assert exchange(issuer.token()).status_code == 400


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"service": "other"}, "service must be"),
        ({"service": None}, "service must be"),
        ({"scope": "nonsense"}, "scope must be"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "subject_token_type"),
        ({"subject_token_type": None}, "subject_token_type"),
        ({"subject_token": ""}, "cannot be read"),
        ({"subject_token": "a.b.c"}, "cannot be read"),
        ({"subject_token": "x" * 20_000}, "too long"),
        ({"subject_token": None}, "cannot be read"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "only tokens of type"),
        ({"actor_token": "x"}, "only tokens of type"),
        ({"account": "robot$team+nobody"}, "no robot trusts"),
        ({"account": "robot$team+all"}, "no robot trusts"),
        ({"account": "developer"}, "no robot trusts"),
        ({"account": "x\0y"}, "no robot trusts"),
    ],
)
def test_bad_exchanges(world: World, issuer: Issuer, form: dict[str, Any], message: str) -> None:
    trust(world.robot, issuer)
    answer = exchange(issuer.token(), **form)
    body = answer.json()
    assert answer.status_code == 400, body
    assert (body["error"], body["errors"][0]["code"]) == ("invalid_request", "BAD_REQUEST")
    assert message in body["error_description"] == body["errors"][0]["message"]


def test_id_tokens_and_no_scope(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)
    answer = exchange(issuer.token(), scope=None, subject_token_type="urn:ietf:params:oauth:token-type:id_token")
    grant = bearer.verify(answer.json()["token"])
    assert grant is not None and grant.access == {}


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"grant_type": "password", "username": "admin", "password": "x", "service": "harbor-registry"},
        {"grant_type": "refresh_token", "refresh_token": "x", "service": "harbor-registry"},
        {"grant_type": EXCHANGE.upper()},
        {"subject_token": "x" * 70_000, "grant_type": EXCHANGE},
    ],
)
def test_other_posts_are_405(world: World, data: dict[str, Any]) -> None:
    answer = _post(data)
    assert (answer.status_code, answer["Allow"]) == (405, "GET")


def test_other_bodies_and_verbs_are_405(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)
    document = {"grant_type": EXCHANGE, "subject_token": issuer.token()}
    for verb, body, kind in (
        ("POST", json.dumps(document), "application/json"),
        ("POST", "\xff\xfe=%", "application/x-www-form-urlencoded"),
        ("POST", "", ""),
        ("PUT", f"grant_type={EXCHANGE}", "application/x-www-form-urlencoded"),
        ("DELETE", "", ""),
    ):
        assert Client().generic(verb, "/service/token", body, kind).status_code == 405, (verb, kind)


def test_several_robots(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)
    trust(world.robots["robot_all"], issuer)
    trust(world.robots["robot_all"], issuer, name="again")
    answer = exchange(issuer.token())
    assert answer.status_code == 400
    assert "several robots" in answer.json()["error_description"]
    for account in ("robot$team+ci", "robot+team+ci"):
        grant = bearer.verify(exchange(issuer.token(), account=account).json()["token"])
        assert grant is not None and grant.name == "robot$team+ci"
    grant = bearer.verify(exchange(issuer.token(), account="robot$team+all").json()["token"])
    assert grant is not None and "delete" in grant.access["repository:team/app"]


def test_two_trusts_of_one_robot_are_no_doubt(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)
    trust(world.robot, issuer, name="again", claims={"sub": "repo:*"})
    assert exchange(issuer.token()).status_code == 200


def test_many_that_match_cannot_crowd_out_a_named_one(world: World, issuer: Issuer) -> None:
    """Others may trust the same tokens, with keys of their own; only the account's trusts count."""
    forged = {"keys": [public_jwk(make_key("ES256"), "first", use="sig")]}
    for number in range(60):
        robot = make_robot(f"r{number}", world.project, ("repository:pull",), "x")
        trust(robot, issuer, jwks=forged)
    trust(world.robot, issuer)
    assert exchange(issuer.token()).status_code == 400
    assert exchange(issuer.token(), account="robot$team+ci").status_code == 200


def test_only_patterns_are_read_of_those_that_do_not_match(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)

    def count() -> int:
        issuer_keys.forget()
        federation._verified.clear()
        with CaptureQueriesContext(connection) as queries:
            federation.robot_of(issuer.token())
        return len(queries)

    few = count()
    other = make_robot("other", world.project, ("repository:pull",), "x")
    for number in range(50):
        trust(other, issuer, name=f"n{number}", claims={"sub": f"repo:octo/n{number}"})
    assert count() <= few <= 6


# ---------------------------------------------------------------------- as a password


def test_as_a_password(world: World, issuer: Issuer) -> None:
    made = trust(world.robot, issuer)
    actor = signed_in("robot$team+ci", issuer.token())
    assert (actor.name, actor.id, actor.key) == ("robot$team+ci", world.robot.pk, f"f:{made.pk}")
    assert signed_in("robot+team+ci", issuer.token()).key == f"f:{made.pk}"
    assert signed_in("robot$team+ci", "robot-secret").key == f"r:{world.robot.pk}"
    assert signed_in("robot$team+all", issuer.token()) is None
    assert signed_in("developer", issuer.token()) is None
    login = f"robot$team+ci:{issuer.token()}"
    assert world.api(login, "GET", "projects/team/repositories/app/artifacts").status_code == 200
    query = {"service": "harbor-registry", "scope": "repository:team/app:push"}
    basic = "Basic " + base64.b64encode(login.encode()).decode()
    answer = Client().get("/service/token", query, headers={"Authorization": basic})
    grant = bearer.verify(answer.json()["token"])
    assert grant is not None and grant.subject == f"f:{made.pk}" and grant.access["repository:team/app"] == {"push"}


def test_a_disabled_or_expired_robot(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)
    assert signed_in("robot$team+ci", issuer.token())
    Robot.objects.filter(pk=world.robot.pk).update(disabled=True)
    assert signed_in("robot$team+ci", issuer.token()) is None
    Robot.objects.filter(pk=world.robot.pk).update(disabled=False, expires_at=timezone.now())
    assert signed_in("robot$team+ci", issuer.token()) is None


def test_a_token_is_verified_once_but_its_trust_is_looked_at_every_time(
    world: World, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(world.robot, issuer)
    token = issuer.token()
    assert signed_in("robot$team+ci", token)

    def called(*args: Any, **options: Any) -> None:
        raise AssertionError("verified again")

    with monkeypatch.context() as patched:
        patched.setattr(federation, "_decode", called)
        assert signed_in("robot$team+ci", token)
    RobotTrust.objects.update(claims={"sub": "repo:other/app"})
    assert signed_in("robot$team+ci", token) is None
    RobotTrust.objects.update(claims={"sub": SUBJECT}, audience="https://other.example.com")
    assert signed_in("robot$team+ci", token) is None
    RobotTrust.objects.update(audience=AUDIENCE, jwks={"keys": [public_jwk(make_key("RS256"), "first")]})
    assert signed_in("robot$team+ci", token) is None
    RobotTrust.objects.all().delete()
    assert signed_in("robot$team+ci", token) is None


def test_the_log_and_the_last_use(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer, claims={"sub": "repo:octo/*", "ref": "refs/heads/*"})
    token = issuer.token(ref="refs/heads/main", actor="mona", secret="not shown")
    for _ in range(3):
        assert signed_in("robot$team+ci", token)
    row = AuditLog.objects.get(operation="login", resource_type="robot")
    assert (row.username, row.resource, row.project_id) == ("robot$team+ci", "robot$team+ci", world.project.pk)
    assert "sub repo:octo/app" in row.operation_description
    assert "ref refs/heads/main" in row.operation_description
    assert "mona" not in row.operation_description and token not in row.operation_description
    last_used.flush()
    assert RobotTrust.objects.get().last_used_at and Robot.objects.get(pk=world.robot.pk).last_used_at
    assert exchange(issuer.token(ref="refs/heads/main", jti="2")).status_code == 200
    assert AuditLog.objects.filter(operation="login", resource_type="robot").count() == 2


# ---------------------------------------------------------------------- what is checked


@pytest.mark.parametrize(
    "algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
)
def test_algorithms(world: World, issuer: Issuer, algorithm: str) -> None:
    trust(world.robot, issuer)
    issuer.keys = {"first": make_key(algorithm)}
    issuer.publish()
    assert federation.actor_of(world.robot, issuer.token(algorithm=algorithm))
    issuer.publish(keys=[public_jwk(issuer.keys["first"], "first", alg=algorithm, use="sig", key_ops=["verify"])])
    issuer_keys.forget()
    assert federation.actor_of(world.robot, issuer.token(algorithm=algorithm, jti="2"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"exp": 100}, "expired"),
        ({"exp": -61}, "expired"),
        ({"exp": None}, "when it expires"),
        ({"iat": None}, "when it was issued"),
        ({"exp": "soon"}, "when it expires"),
        ({"nbf": "now"}, "when it was issued"),
        ({"nbf": 120}, "not valid yet"),
        ({"iat": 120}, "not valid yet"),
        ({"iat": -24 * 3600 - 120}, "older than"),
        ({"iss": None}, "issuer and its audience"),
        ({"iss": 7}, "issuer and its audience"),
        ({"aud": None}, "issuer and its audience"),
        ({"aud": []}, "issuer and its audience"),
        ({"aud": ["x"] * 30}, "issuer and its audience"),
        ({"iss": "https://evil.example.com"}, "no robot trusts"),
        ({"iss": "+/"}, "no robot trusts"),
        ({"aud": "https://other.example.com"}, "no robot trusts"),
        ({"aud": AUDIENCE + "/"}, "no robot trusts"),
        ({"sub": "repo:octo/app2"}, "no robot trusts"),
        ({"sub": "xrepo:octo/app"}, "no robot trusts"),
        ({"sub": "repo:octo/app\n"}, "no robot trusts"),
        ({"sub": None}, "no robot trusts"),
        ({"sub": 7}, "no robot trusts"),
        ({"sub": {"a": 1}}, "no robot trusts"),
    ],
)
def test_claims_that_are_refused(world: World, issuer: Issuer, change: dict[str, Any], reason: str) -> None:
    trust(world.robot, issuer)
    now = int(time.time())
    for name, value in change.items():
        if name in ("exp", "nbf", "iat") and isinstance(value, int):
            change = change | {name: value if value == 100 else now + value}
    if change.get("iss") == "+/":
        change = {"iss": issuer.url + "/"}
    assert reason in refused(issuer.token(**change), world.robot)
    assert reason in exchange(issuer.token(**change)).json()["error_description"]


def test_clocks_may_differ_by_a_minute(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)
    now = int(time.time())
    for change in ({"exp": now - 50}, {"nbf": now + 50, "iat": now + 50}, {"iat": now - 24 * 3600}, {"nbf": None}):
        assert federation.actor_of(world.robot, issuer.token(**change)), change


def test_one_of_several_audiences(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)
    assert federation.actor_of(world.robot, issuer.token(aud=["https://a.example.com", AUDIENCE]))
    assert refused(issuer.token(aud=["https://a.example.com", "https://b.example.com"]), world.robot)


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _public_pem(issuer: Issuer) -> bytes:
    return (
        issuer.keys["first"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _hs256(issuer: Issuer, secret: bytes) -> str:
    text = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'first'})}.{_part(issuer.claims())}"
    mac = base64.urlsafe_b64encode(hmac.new(secret, text.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
    return f"{text}.{mac}"


def _header(issuer: Issuer, **change: Any) -> str:
    """A good token under another header: the signature no longer fits, but that should not be why it is refused."""
    _, payload, signature = issuer.token().split(".")
    return f"{_part({'alg': 'RS256', 'kid': 'first'} | change)}.{payload}.{signature}"


FORGERIES: dict[str, Callable[[Issuer], str]] = {
    "no algorithm": lambda issuer: f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(issuer.claims())}.",
    "no algorithm, padded": lambda issuer: f"{_part({'alg': 'none'})}.{_part(issuer.claims())}.{'A' * 86}",
    "None": lambda issuer: f"{_part({'alg': 'None'})}.{_part(issuer.claims())}.{'A' * 86}",
    "HS256 with the public key": lambda issuer: _hs256(issuer, _public_pem(issuer)),
    "HS256 with the key id": lambda issuer: _hs256(issuer, b"first"),
    "HS256 with an empty key": lambda issuer: _hs256(issuer, b""),
    "foreign key, our kid": lambda issuer: issuer.token(key=make_key("RS256")),
    "foreign key, foreign kid": lambda issuer: issuer.token(key=make_key("RS256"), header={"kid": "other"}),
    "foreign key, no kid": lambda issuer: issuer.token(key=make_key("RS256"), header={"kid": None}),
    "another kind of key": lambda issuer: issuer.token(key=make_key("ES256"), algorithm="ES256"),
    "critical extension": lambda issuer: issuer.token(header={"crit": ["exp"], "exp": 1}),
    "unencoded payload": lambda issuer: _header(issuer, b64=False),
    "kid is a list": lambda issuer: _header(issuer, kid=["first"]),
    "algorithm is a list": lambda issuer: _header(issuer, alg=["RS256"]),
    "other claims": lambda issuer: ".".join(
        [issuer.token(sub="x").split(".")[0], _part(issuer.claims()), issuer.token(sub="x").split(".")[2]]
    ),
    "signature cut off": lambda issuer: issuer.token().rpartition(".")[0] + ".",
    "zero signature": lambda issuer: issuer.token().rpartition(".")[0] + "." + "A" * 342,
    "claims are a list": lambda issuer: f"{_part({'alg': 'RS256', 'kid': 'first'})}.W10.{'A' * 342}",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forgeries(world: World, issuer: Issuer, name: str) -> None:
    trust(world.robot, issuer)
    assert federation.actor_of(world.robot, issuer.token())
    forged = FORGERIES[name](issuer)
    assert refused(forged, world.robot)
    assert exchange(forged).status_code == 400


def test_the_key_travels_with_nobody(world: World, issuer: Issuer) -> None:
    """Keys in or named by the header are not looked at."""
    trust(world.robot, issuer)
    own = make_key("RS256")
    for header in ({"jwk": public_jwk(own, "first")}, {"jku": f"{issuer.url}/keys"}, {"x5u": f"{issuer.url}/keys"}):
        assert refused(issuer.token(key=own, header=header), world.robot)


@pytest.mark.parametrize(
    "change",
    [{"use": "enc"}, {"alg": "RS512"}, {"alg": "HS256"}, {"key_ops": ["sign"]}, {"key_ops": "verify"}, {"kty": "EC"},
     {"n": "AQAB"}, {"e": None}, {"n": 7}, {"kid": "other"}, {"d": "AQAB"}],
)  # fmt: skip
def test_keys_that_are_not_for_this(world: World, issuer: Issuer, change: dict[str, Any]) -> None:
    trust(world.robot, issuer)
    issuer.publish(keys=[public_jwk(issuer.keys["first"], "first") | change])
    assert refused(issuer.token(), world.robot)


def test_a_bad_key_beside_a_good_one_does_no_harm(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)
    good = public_jwk(issuer.keys["first"], "first")
    for bad in ({"kty": "RSA", "kid": "first"}, {"kty": "RSA", "n": 1, "e": [], "kid": "first"}, {}, {"kty": ["RSA"]}):
        issuer.publish(keys=[bad, good])
        issuer_keys.forget()
        federation._verified.clear()
        assert federation.actor_of(world.robot, issuer.token())


def test_short_keys_are_refused(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)
    issuer.keys = {"first": rsa.generate_private_key(public_exponent=65537, key_size=1024)}
    issuer.publish()
    assert refused(issuer.token(), world.robot)


def test_a_token_without_kid(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)
    issuer.publish(keys=[public_jwk(make_key("RS256"), "x"), *issuer.public_keys, public_jwk(make_key("ES256"), None)])
    assert federation.actor_of(world.robot, issuer.token(header={"kid": None}))


# ---------------------------------------------------------------------- patterns


@pytest.mark.parametrize(
    ("patterns", "claims", "expected"),
    [
        ({"sub": "repo:octo/app:*"}, {"sub": "repo:octo/app:ref:refs/heads/main"}, True),
        ({"sub": "repo:octo/app:*"}, {"sub": "repo:octo/app"}, False),
        ({"sub": "repo:octo/*:ref:refs/tags/v*"}, {"sub": "repo:octo/app:ref:refs/tags/v1"}, True),
        ({"sub": "repo:octo/*:ref:refs/tags/v*"}, {"sub": "repo:octo/app:ref:refs/heads/v1"}, False),
        ({"sub": "a?c"}, {"sub": "abc"}, True),
        ({"sub": "a?c"}, {"sub": "ac"}, False),
        ({"sub": "a.c"}, {"sub": "abc"}, False),
        ({"sub": "[ab]"}, {"sub": "a"}, False),
        ({"sub": "A"}, {"sub": "a"}, False),
        ({"sub": "**"}, {"sub": "a\nb"}, True),
        ({"sub": "x", "ref": "y"}, {"sub": "x"}, False),
        ({"sub": "x", "ref": "y"}, {"sub": "x", "ref": "y"}, True),
        ({"ref_protected": "true"}, {"ref_protected": True}, True),
        ({"ref_protected": "true"}, {"ref_protected": "true"}, True),
        ({"ref_protected": "true"}, {"ref_protected": False}, False),
        ({"project_id": "42"}, {"project_id": 42}, True),
        ({"groups": "dev"}, {"groups": ["ops", "dev"]}, True),
        ({"groups": "dev"}, {"groups": []}, False),
        ({"x": "*"}, {}, False),
        ({"x": "*"}, {"x": None}, False),
        ({"kubernetes.io/namespace": "prod"}, {"kubernetes.io": {"namespace": "prod"}}, True),
        ({"kubernetes.io/serviceaccount/name": "p*"}, {"kubernetes.io": {"serviceaccount": {"name": "puller"}}}, True),
        ({"kubernetes.io/namespace": "prod"}, {"kubernetes.io": "prod"}, False),
        ({"https://x/y": "z"}, {"https://x/y": "z"}, True),
        ({}, {"sub": "x"}, True),
    ],
)
def test_patterns(patterns: dict[str, str], claims: dict[str, Any], expected: bool) -> None:
    assert federation.matches(patterns, claims) is expected


def _reference(pattern: str, text: str) -> bool:
    """By dynamic programming: slow, plain."""
    reach = {0}
    for character in pattern:
        if character == "*":
            reach = set(range(min(reach), len(text) + 1)) if reach else set()
        else:
            reach = {i + 1 for i in reach if i < len(text) and (character == "?" or text[i] == character)}
    return len(text) in reach


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_patterns_are_what_they_say(pattern: str, text: str) -> None:
    assert federation.matches({"x": pattern}, {"x": text}) is _reference(pattern, text)


def test_a_pattern_takes_no_longer_for_being_nasty() -> None:
    started = time.monotonic()
    assert not federation.matches({"sub": "*a" * 250 + "b"}, {"sub": "a" * 12_000})
    assert time.monotonic() - started < 0.5


def test_what_looks_like_a_token(issuer: Issuer) -> None:
    assert federation.is_jwt(issuer.token())
    for text in ("", "eyJ.a.b", "robot-secret", issuer.token() + ".x", issuer.token() + "=", "e" * 300, "x." * 200):
        assert not federation.is_jwt(text), text


# ---------------------------------------------------------------------- keys


def test_keys_are_fetched_once(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)
    before = len(issuer.asked)
    for number in range(5):
        assert federation.actor_of(world.robot, issuer.token(jti=str(number)))
    assert issuer.asked[before:] == [DISCOVERY, "/keys"]


def test_keys_from_an_address(world: World, issuer: Issuer) -> None:
    issuer.write("/elsewhere", {"keys": issuer.public_keys})
    trust(world.robot, issuer, issuer="https://issuer.example.com", jwks_uri=f"{issuer.url}/elsewhere")
    before = len(issuer.asked)
    assert federation.actor_of(world.robot, issuer.token(iss="https://issuer.example.com"))
    assert issuer.asked[before:] == ["/elsewhere"]


def test_given_keys_need_no_issuer(world: World, issuer: Issuer, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED = []
    trust(world.robot, issuer, issuer="kubernetes/serviceaccount", jwks={"keys": issuer.public_keys}, ca_certificate="")
    before = len(issuer.asked)
    assert federation.actor_of(world.robot, issuer.token(iss="kubernetes/serviceaccount"))
    assert refused(issuer.token(iss="kubernetes/serviceaccount", key=make_key("RS256")), world.robot)
    assert issuer.asked[before:] == []


def test_rotation(world: World, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key we have not seen makes us look again, though not for every token that says so."""
    trust(world.robot, issuer)
    old = issuer.token()
    assert federation.actor_of(world.robot, old)
    issuer.rotate()
    before = len(issuer.asked)
    assert refused(issuer.token(), world.robot)  # the keys were fetched a moment ago
    assert issuer.asked[before:] == []
    monkeypatch.setattr(issuer_keys, "RETRY_SECONDS", 0.0)
    assert federation.actor_of(world.robot, issuer.token())
    assert issuer.asked[before:] == [DISCOVERY, "/keys"]
    monkeypatch.setattr(issuer_keys, "RETRY_SECONDS", 30.0)
    for number in range(10):
        forged = issuer.token(key=make_key("ES256"), algorithm="ES256", header={"kid": f"unknown-{number}"})
        assert refused(forged, world.robot)
    assert len(issuer.asked) == before + 2
    # What the old key signed is over, once it is no longer remembered.
    federation._verified.clear()
    assert refused(old, world.robot)


def test_an_issuer_that_is_down(world: World, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    trust(world.robot, issuer)
    assert federation.actor_of(world.robot, issuer.token())
    monkeypatch.setattr(issuer_keys, "TTL_SECONDS", 0.0)
    monkeypatch.setattr(issuer_keys, "RETRY_SECONDS", 0.0)
    issuer.down()
    try:
        assert federation.actor_of(world.robot, issuer.token(jti="2"))  # the keys go on
        monkeypatch.setattr(issuer_keys, "GRACE_SECONDS", 0.0)
        with pytest.raises(HarborError) as caught:
            federation.actor_of(world.robot, issuer.token(jti="3"))
        assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "0"})
        answer = exchange(issuer.token(jti="4"))
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert world.api(f"robot$team+ci:{issuer.token(jti='5')}", "GET", "projects/team").status_code == 503
    finally:
        issuer.up()
    monkeypatch.setattr(issuer_keys, "GRACE_SECONDS", 3600.0)
    assert federation.actor_of(world.robot, issuer.token(jti="6"))


def test_an_issuer_that_never_answered(world: World, issuer: Issuer) -> None:
    trust(world.robot, issuer)
    issuer.mode("fail 500")
    before = len(issuer.asked)
    for number in range(4):
        assert exchange(issuer.token(jti=str(number))).status_code == 503
    assert issuer.asked[before:] == [DISCOVERY]  # it is not asked again and again


@pytest.mark.parametrize(
    "spoil",
    [
        lambda issuer: issuer.mode("huge"),
        lambda issuer: issuer.mode("text"),
        lambda issuer: issuer.mode("list"),
        lambda issuer: issuer.mode("redirect https://example.com/keys"),
        lambda issuer: issuer.publish(issuer="https://evil.example.com"),
        lambda issuer: issuer.publish(issuer=issuer.url + "/"),
        lambda issuer: issuer.publish(jwks_uri=None),
        lambda issuer: issuer.publish(jwks_uri="http://localhost/keys"),
        lambda issuer: issuer.publish(jwks_uri="file:///etc/passwd"),
        lambda issuer: issuer.publish(jwks_uri="https://169.254.169.254/keys"),
        lambda issuer: issuer.write("/keys", {"keys": "none"}),
        lambda issuer: issuer.write("/keys", {"keys": ["a"]}),
        lambda issuer: issuer.write("/keys", {}),
    ],
)
def test_documents_that_are_not_accepted(world: World, issuer: Issuer, spoil: Callable[[Issuer], None]) -> None:
    trust(world.robot, issuer)
    spoil(issuer)
    with pytest.raises(HarborError) as caught:
        federation.actor_of(world.robot, issuer.token())
    assert caught.value.status == 503
    assert caught.value.message == f"the keys of {issuer.url} cannot be fetched"


def test_an_issuer_on_the_private_network_needs_leave(world: World, issuer: Issuer, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED = []
    trust(world.robot, issuer)
    before = len(issuer.asked)
    with pytest.raises(HarborError):
        federation.actor_of(world.robot, issuer.token())
    assert issuer.asked[before:] == []


def test_keys_are_kept_apart(world: World, issuer: Issuer) -> None:
    """Whoever names another place for an issuer's keys, or another authority, does so for that trust alone."""
    mine = make_key("RS256")
    issuer.write("/mine", {"keys": [public_jwk(mine, "first")]})
    trust(world.robot, issuer)
    trust(world.robots["robot_all"], issuer, jwks_uri=f"{issuer.url}/mine")
    forged = issuer.token(key=mine)
    assert federation.actor_of(world.robots["robot_all"], forged)
    assert refused(forged, world.robot)
    assert federation.actor_of(world.robot, issuer.token())
    with pytest.raises(UntrustedError):
        federation.actor_of(world.robots["robot_all"], issuer.token())
    RobotTrust.objects.filter(robot=world.robot).update(ca_certificate="")
    federation._verified.clear()
    with pytest.raises(HarborError):  # its certificate is nobody's the system knows
        federation.actor_of(world.robot, issuer.token())


def test_one_thread_fetches_for_all(issuer: Issuer) -> None:
    source = issuer_keys.Source(issuer.url, "", issuer.certificate)
    issuer.mode("late 0.5")
    before = len(issuer.asked)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(issuer_keys.keys_of(source, "first"))))
        for _ in range(issuer_keys.MAX_BUSY)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * issuer_keys.MAX_BUSY
    assert issuer.asked[before:] == [DISCOVERY, "/keys"]


def test_slow_issuers_do_not_hold_every_thread(issuer: Issuer) -> None:
    issuer.mode("late 3")
    sources = [issuer_keys.Source(issuer.url, f"{issuer.url}/keys?{n}", issuer.certificate) for n in range(8)]
    seconds: list[float] = []

    def ask(source: issuer_keys.Source) -> None:
        started = time.monotonic()
        with contextlib.suppress(HarborError):
            issuer_keys.keys_of(source, "first")
        seconds.append(time.monotonic() - started)

    threads = [threading.Thread(target=ask, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken > 1 for taken in seconds) <= issuer_keys.MAX_BUSY


def test_known_keys_are_used_while_they_are_fetched_again(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    source = issuer_keys.Source(issuer.url, f"{issuer.url}/keys", issuer.certificate)
    assert issuer_keys.keys_of(source, "first")
    monkeypatch.setattr(issuer_keys, "TTL_SECONDS", 0.0)
    monkeypatch.setattr(issuer_keys, "RETRY_SECONDS", 0.0)
    issuer.mode("late 2")
    thread = threading.Thread(target=issuer_keys.keys_of, args=(source, "first"))
    thread.start()
    time.sleep(0.5)
    started = time.monotonic()
    assert issuer_keys.keys_of(source, "first")
    assert time.monotonic() - started < 1
    thread.join()


# ---------------------------------------------------------------------- managing trusts


def body(**change: Any) -> dict[str, Any]:
    base = {
        "name": "github",
        "issuer": "https://token.actions.githubusercontent.com",
        "audience": AUDIENCE,
        "claims": {"sub": "repo:octo/app:ref:refs/heads/main"},
    }
    return {name: value for name, value in (base | change).items() if value is not None}


def path(robot: Robot, trust_id: int | str = "") -> str:
    return f"robots/{robot.pk}/trusts" + (f"/{trust_id}" if trust_id else "")


def test_manage(world: World) -> None:
    answer = world.api("project_admin", "POST", path(world.robot), body())
    made = RobotTrust.objects.get()
    assert answer.status_code == 201
    assert answer["Location"] == f"/api/v2.0/{path(world.robot, made.pk)}"
    assert answer.json() == body() | {"id": made.pk, "creation_time": answer.json()["creation_time"]}
    assert world.api("project_admin", "GET", path(world.robot, made.pk)).json() == answer.json()
    listed = world.api("project_admin", "GET", path(world.robot))
    assert (listed.json(), listed["X-Total-Count"]) == ([answer.json()], "1")
    changed = body(name="new", claims={"repository": "octo/*"}, jwks_uri="https://keys.example.com/")
    assert world.api("project_admin", "PUT", path(world.robot, made.pk), changed).status_code == 200
    shown = world.api("project_admin", "GET", path(world.robot, made.pk)).json()
    assert {name: shown[name] for name in changed} == changed
    assert world.api("project_admin", "DELETE", path(world.robot, made.pk)).status_code == 200
    assert world.api("project_admin", "DELETE", path(world.robot, made.pk)).status_code == 404
    rows = AuditLog.objects.filter(resource_type="robot-trust").order_by("pk")
    assert [(row.operation, row.resource, row.project_id) for row in rows] == [
        ("create", "robot$team+ci/github", world.project.pk),
        ("update", "robot$team+ci/new", world.project.pk),
        ("delete", "robot$team+ci/new", world.project.pk),
    ]
    assert "sub repo:octo/app:ref:refs/heads/main" in rows[0].operation_description


def test_lists(world: World) -> None:
    for number in range(12):
        RobotTrust.objects.create(
            robot=world.robot, name=f"t{number:02}", issuer="i", audience="a", claims={"sub": "x"}
        )
    page = world.api("project_admin", "GET", path(world.robot) + "?page=2")
    assert ([row["name"] for row in page.json()], page["X-Total-Count"]) == (["t10", "t11"], "12")
    assert len(world.api("project_admin", "GET", path(world.robot) + "?q=name=~t1").json()) == 2
    other = RobotTrust.objects.filter(robot=world.robot).first()
    assert other is not None
    for verb, sent in (("GET", None), ("PUT", body()), ("DELETE", None)):
        assert world.api("sysadmin", verb, path(world.robots["robot_all"], other.pk), sent).status_code == 404
    for verb, sent in (("GET", None), ("PUT", body()), ("DELETE", None)):
        assert world.api("sysadmin", verb, path(world.robot, "x"), sent).status_code == 422


RSA_KEY = public_jwk(make_key("RS256"), "a")


BODIES: list[tuple[dict[str, Any], int]] = [
    ({"name": " "}, 400),
    ({"name": None}, 422),
    ({"name": "x" * 256}, 422),
    ({"name": "a\nb"}, 400),
    ({"issuer": None}, 422),
    ({"issuer": ""}, 400),
    ({"issuer": "http://issuer.example.com"}, 400),
    ({"issuer": "issuer.example.com"}, 400),
    ({"issuer": "https://user@issuer.example.com"}, 400),
    ({"issuer": "https://[x"}, 400),
    ({"issuer": "https://a b"}, 400),
    ({"issuer": "https://" + "x" * 512}, 422),
    ({"audience": ""}, 400),
    ({"claims": None}, 422),
    ({"claims": {}}, 400),
    ({"claims": []}, 422),
    ({"claims": {"sub": 7}}, 422),
    ({"claims": {"sub": ""}}, 400),
    ({"claims": {"": "x", "sub": "repo:octo/app"}}, 400),
    ({"claims": {"sub": "repo:octo/" + "x" * 512}}, 400),
    ({"claims": {"sub": "*"}}, 400),
    ({"claims": {"sub": "**?*"}}, 400),
    ({"claims": {"iss": "https://x", "aud": "y", "jti": "1"}}, 400),
    ({"claims": {f"c{n}": "octo" for n in range(21)}}, 400),
    # GitHub, GitLab: not everybody's.
    ({"claims": {"sub": "repo:*"}}, 400),
    ({"claims": {"sub": "repo:*/app:ref:refs/heads/main"}}, 400),
    ({"claims": {"sub": "repo:oct?/app"}}, 400),
    ({"claims": {"ref": "refs/heads/main"}}, 400),
    ({"claims": {"repository": "*/app", "repository_visibility": "private"}}, 400),
    ({"claims": {"repository_owner": "octo*"}}, 400),
    ({"claims": {"repository_owner": "octo"}}, 201),
    ({"claims": {"repository": "octo/*", "ref": "refs/heads/*"}}, 201),
    ({"issuer": "https://gitlab.com", "claims": {"sub": "project_path:*"}}, 400),
    ({"issuer": "https://gitlab.com", "claims": {"sub": "project_path:group/app:ref_type:branch:ref:main"}}, 201),
    ({"issuer": "https://gitlab.com", "claims": {"namespace_path": "group"}}, 201),
    ({"issuer": "https://gitlab.example.com", "claims": {"sub": "project_path:*"}}, 201),
    ({"jwks_uri": "http://keys.example.com"}, 400),
    ({"jwks_uri": "file:///keys"}, 400),
    ({"jwks_uri": "https://keys.example.com", "jwks": {"keys": [RSA_KEY]}}, 400),
    ({"jwks": {"keys": []}}, 400),
    ({"jwks": {}}, 422),
    ({"jwks": []}, 422),
    ({"jwks": {"keys": ["a"]}}, 422),
    ({"jwks": {"keys": [{}]}}, 400),
    ({"jwks": {"keys": [{"kty": ["RSA"]}]}}, 400),
    ({"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}}, 400),
    ({"jwks": {"keys": [{"kty": "RSA", "n": "x"}]}}, 400),
    ({"jwks": {"keys": [RSA_KEY | {"n": 7}]}}, 400),
    ({"jwks": {"keys": [RSA_KEY | {"d": "AQAB"}]}}, 400),
    ({"jwks": {"keys": [RSA_KEY | {"alg": "HS256"}]}}, 400),
    ({"jwks": {"keys": [RSA_KEY] * 51}}, 400),
    ({"jwks": {"keys": [RSA_KEY | {"x": "y" * 70_000}]}}, 400),
    ({"jwks": {"keys": [RSA_KEY]}}, 201),
    ({"issuer": "kubernetes/serviceaccount", "jwks": {"keys": [RSA_KEY]}}, 201),
    ({"ca_certificate": "nonsense"}, 400),
    ({"ca_certificate": "é"}, 400),
    ({"ca_certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, 400),
]


def test_what_is_accepted(world: World) -> None:
    differing = []
    for change, status in BODIES:
        answer = world.api("project_admin", "POST", path(world.robot), body(**change))
        made = RobotTrust.objects.all().delete()[0]
        if (answer.status_code, made) != (status, int(status == 201)):
            differing.append((change, answer.status_code, answer.content))
    assert differing == []


def test_a_certificate_is_kept(world: World, running: Issuer) -> None:
    sent = body(ca_certificate=running.certificate)
    assert world.api("project_admin", "POST", path(world.robot), sent).json()["ca_certificate"] == running.certificate


def test_names_and_numbers(world: World) -> None:
    assert world.api("project_admin", "POST", path(world.robot), body()).status_code == 201
    assert world.api("project_admin", "POST", path(world.robot), body()).status_code == 409
    assert world.api("project_admin", "POST", path(world.robots["robot_all"]), body()).status_code == 201
    second = world.api("project_admin", "POST", path(world.robot), body(name="b")).json()
    assert world.api("project_admin", "PUT", path(world.robot, second["id"]), body()).status_code == 409
    for number in range(18):
        assert world.api("project_admin", "POST", path(world.robot), body(name=f"n{number}")).status_code == 201
    assert world.api("project_admin", "POST", path(world.robot), body(name="more")).status_code == 412


def test_a_robot_cannot_become_a_stronger_one(world: World) -> None:
    weak = make_robot("weak", world.project, ("robot:create", "robot:read", "repository:pull"), "robot-secret")
    login = "robot$team+weak:robot-secret"
    equal = make_robot("equal", world.project, ("repository:pull",), "x")
    assert world.api(login, "POST", path(world.robots["robot_all"]), body()).status_code == 403
    assert world.api(login, "POST", path(equal), body()).status_code == 201
    assert world.api(login, "GET", path(equal)).status_code == 200
    trust_id = RobotTrust.objects.get().pk
    assert world.api(login, "DELETE", path(equal, trust_id)).status_code == 403
    assert world.api(login, "PUT", path(equal, trust_id), body()).status_code == 403
    grant_robot(weak, "project", world.project, ("robot:delete",))
    access.forget()
    assert world.api(login, "DELETE", path(equal, trust_id)).status_code == 200


def test_robots_of_other_projects_and_of_the_system(world: World) -> None:
    other = make_project("other", world.users["outsider"])
    Member.objects.create(project=other, user=world.users["outsider"], role=Role.PROJECT_ADMIN)
    robot = make_robot("theirs", other, ("repository:pull",), "x")
    for target in (robot, world.robots["system_robot"]):
        for verb in ("GET", "POST"):
            sent = body() if verb == "POST" else None
            assert world.api("project_admin", verb, path(target), sent).status_code == 403
    assert world.api("sysadmin", "POST", path(world.robots["system_robot"]), body()).status_code == 201
    assert world.api("outsider", "POST", path(robot), body()).status_code == 201
    assert not RobotTrust.objects.filter(robot=world.robot).exists()


def test_trusts_end_with_their_robot(world: World) -> None:
    assert world.api("project_admin", "POST", path(world.robot), body()).status_code == 201
    assert world.api("project_admin", "DELETE", f"robots/{world.robot.pk}").status_code == 200
    assert not RobotTrust.objects.exists()


def test_presets_of_the_documentation() -> None:
    """The trusts of docs/tokens.md are accepted as they stand there."""
    text = (Path(__file__).parents[2] / "docs" / "tokens.md").read_text(encoding="utf-8")
    documents = [part.partition("```")[0] for part in text.split("```json")[1:]]
    presets = [document for document in map(json.loads, documents) if "issuer" in document]
    assert len(presets) == 3
    for preset in presets:
        trusts.check(trusts.Wanted(**preset))
