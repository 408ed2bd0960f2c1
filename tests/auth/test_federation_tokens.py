"""Tokens of other issuers: what is checked."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from auth import federation, issuer_keys
from tests.auth.federating import exchange, refused, trust
from tests.cast import World
from tests.support.issuer import AUDIENCE, Issuer, make_key, public_jwk

pytestmark = pytest.mark.usefixtures("token_keys")


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
