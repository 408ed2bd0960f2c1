"""Tokens that must open nothing: forged, expired, of another key, of another kind, for another project."""

import hashlib
import hmac
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from jwt.utils import base64url_decode, base64url_encode

from auth.keys import key_id
from tests.e2e import people, tokens
from tests.support import oci
from tests.support.stack import Stack

Key = ec.EllipticCurvePrivateKey


@pytest.fixture(scope="module")
def secret(stack: Stack) -> tuple[str, oci.Image]:
    """A private repository with one image."""
    repository, image = f"{people.project(stack)}/app", oci.image()
    with stack.api() as admin:
        assert oci.push(admin, repository, "1.0", image).status_code == 201
    return repository, image


def requests(repository: str, image: oci.Image) -> list[tuple[str, str]]:
    """One of each kind of route: answered by the gateway after asking, by core's fast path, by Django."""
    upload = f"/v2/{repository}/blobs/uploads/{uuid.uuid4()}"
    return [
        ("GET", "/v2/"),
        ("GET", "/v2/_catalog"),
        ("GET", f"/v2/{repository}/manifests/1.0"),
        ("HEAD", f"/v2/{repository}/manifests/{image.digest}"),
        ("PUT", f"/v2/{repository}/manifests/2.0"),
        ("DELETE", f"/v2/{repository}/manifests/1.0"),
        ("GET", f"/v2/{repository}/blobs/{oci.digest_of(image.layer)}"),
        ("HEAD", f"/v2/{repository}/blobs/{oci.digest_of(image.layer)}"),
        ("GET", f"/v2/{repository}/tags/list"),
        ("GET", f"/v2/{repository}/referrers/{image.digest}"),
        ("POST", f"/v2/{repository}/blobs/uploads/"),
        ("PATCH", upload),
        ("PUT", f"{upload}?digest={oci.digest_of(image.layer)}"),
        ("GET", upload),
        ("DELETE", upload),
    ]


def _public_pem(key: Key) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _hs256(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    signed = tokens.assemble({"alg": "HS256", "typ": "JWT", **header}, claims).rpartition(".")[0]
    return f"{signed}.{base64url_encode(hmac.digest(secret, signed.encode(), hashlib.sha256)).decode()}"


def _other_signature(token: str) -> str:
    head, _, signature = token.rpartition(".")
    raw = bytearray(base64url_decode(signature))
    raw[5] ^= 1
    return f"{head}.{base64url_encode(bytes(raw)).decode()}"


def _own_key_in_header(claims: dict[str, Any]) -> str:
    """As registry:2 would accept it: the key travels with the token."""
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return jwt.encode(claims, key, "ES256", {"jwk": jwk | {"kid": key_id(key.public_key())}})


FORGERIES: dict[str, Callable[[str, Key], str]] = {
    "not a token": lambda token, key: "abc",
    "three empty parts": lambda token, key: "..",
    "other signature": lambda token, key: _other_signature(token),
    "no signature": lambda token, key: token.rpartition(".")[0] + ".",
    "zero signature": lambda token, key: token.rpartition(".")[0] + "." + base64url_encode(bytes(64)).decode(),
    "other claims": lambda token, key: ".".join(
        (
            token.split(".")[0],
            tokens.assemble({}, tokens.claims_of(token) | {"hsub": "u:2"}).split(".")[1],
            token.split(".")[2],
        )
    ),
    "alg none": lambda token, key: tokens.assemble({"alg": "none", "typ": "JWT"}, tokens.claims_of(token)),
    "alg none with kid": lambda token, key: tokens.assemble(
        {"alg": "nOnE", "kid": key_id(key.public_key())}, tokens.claims_of(token)
    ),
    "HS256 with the public key": lambda token, key: _hs256(
        {"kid": key_id(key.public_key())}, tokens.claims_of(token), _public_pem(key)
    ),
    "HS256 with an empty secret": lambda token, key: _hs256(
        {"kid": key_id(key.public_key())}, tokens.claims_of(token), b""
    ),
    "ES256 named HS256": lambda token, key: tokens.assemble(
        {"alg": "HS256", "kid": key_id(key.public_key())},
        tokens.claims_of(token),
        base64url_decode(token.split(".")[2]),
    ),
    "another key": lambda token, key: tokens.sign(tokens.claims_of(token), ec.generate_private_key(ec.SECP256R1())),
    "another key under our name": lambda token, key: tokens.sign(
        tokens.claims_of(token), ec.generate_private_key(ec.SECP256R1()), key_id(key.public_key())
    ),
    "a key that travels along": lambda token, key: _own_key_in_header(tokens.claims_of(token)),
    "a path for a key name": lambda token, key: tokens.sign(
        tokens.claims_of(token), key, "../../internal/registry.key"
    ),
    "no key name": lambda token, key: tokens.sign(tokens.claims_of(token), key, ""),
    "expired": lambda token, key: tokens.sign(tokens.claims_of(token) | {"exp": int(time.time()) - 120}, key),
    "without an end": lambda token, key: tokens.sign(
        {name: value for name, value in tokens.claims_of(token).items() if name != "exp"}, key
    ),
    "not yet valid": lambda token, key: tokens.sign(tokens.claims_of(token) | {"nbf": int(time.time()) + 3600}, key),
    "issued in the future": lambda token, key: tokens.sign(
        tokens.claims_of(token) | {"iat": int(time.time()) + 3600}, key
    ),
    "for another service": lambda token, key: tokens.sign(tokens.claims_of(token) | {"aud": "other"}, key),
    "of another issuer": lambda token, key: tokens.sign(tokens.claims_of(token) | {"iss": "other"}, key),
    "of an account that never was": lambda token, key: tokens.sign(tokens.claims_of(token) | {"hsub": "u:999999"}, key),
    "of a number no database holds": lambda token, key: tokens.sign(
        tokens.claims_of(token) | {"hsub": "u:" + "9" * 30}, key
    ),
    "of nobody": lambda token, key: tokens.sign(tokens.claims_of(token) | {"hsub": ""}, key),
    "older than the project": lambda token, key: tokens.sign(
        tokens.claims_of(token) | {"iat": int(time.time()) - 86400}, key
    ),
    "too long": lambda token, key: tokens.sign(tokens.claims_of(token) | {"pad": "x" * 15000}, key),
}
ONLY_A_REPOSITORY = {"older than the project"}  # true where no project is asked about


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_bad_token_opens_nothing(stack: Stack, secret: tuple[str, oci.Image], kind: str) -> None:
    repository, image = secret
    good = stack.token(f"repository:{repository}:pull,push,delete", "registry:catalog:*")
    headers = {"Authorization": f"Bearer {FORGERIES[kind](good, tokens.signing_key(stack))}"}
    with stack.client() as client:
        for method, path in requests(repository, image):
            if kind in ONLY_A_REPOSITORY and repository not in path:
                continue
            answer = client.request(method, path, headers=headers)
            assert answer.status_code == 401, (method, path, answer.text)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer realm="), (method, path)
            if method != "HEAD":
                assert answer.json()["errors"][0]["code"] == "UNAUTHORIZED"
        proof = client.get(f"/v2/{repository}/manifests/1.0", headers={"Authorization": f"Bearer {good}"})
    assert (proof.status_code, proof.content) == (200, image.manifest)


def test_a_token_opens_only_what_it_names(stack: Stack, secret: tuple[str, oci.Image]) -> None:
    repository, image = secret
    other = f"{people.project(stack)}/app"
    scopes = [
        f"repository:{other}:pull,push,delete",
        f"repository:{repository}2:pull,push,delete",
        f"repository:{repository.partition('/')[0]}:pull,push,delete",
        f"repository(plugin):{other}:*",
        "registry:catalog:*",
        "repository:*:*",
    ]
    with stack.client() as client:
        for scope in scopes:
            headers = {"Authorization": f"Bearer {stack.token(scope)}"}
            for method, path in requests(repository, image):
                if repository in path:
                    assert client.request(method, path, headers=headers).status_code == 401, (scope, method, path)
        reading = {"Authorization": f"Bearer {stack.token(f'repository:{repository}:pull')}"}
        for method, path in requests(repository, image):
            writes = method in ("POST", "PUT", "PATCH", "DELETE") or "/uploads/" in path
            if repository in path and writes:
                assert client.request(method, path, headers=reading).status_code == 401, (method, path)


def test_a_token_grants_no_more_than_its_owner_may(stack: Stack, secret: tuple[str, oci.Image]) -> None:
    """Not even when the token service were to say so."""
    repository, image = secret
    stranger = people.account(stack)
    token = stack.token(f"repository:{repository}:pull,push,delete", auth=stranger)
    assert tokens.claims_of(token)["access"] == [{"type": "repository", "name": repository, "actions": []}]
    access = [{"type": "repository", "name": repository, "actions": ["pull", "push", "delete"]}]
    generous = tokens.sign(tokens.claims_of(token) | {"access": access}, tokens.signing_key(stack))
    with stack.client() as client:
        for method, path in requests(repository, image):
            if repository in path:
                answer = client.request(method, path, headers={"Authorization": f"Bearer {generous}"})
                assert answer.status_code == 401, (method, path)


def test_the_storage_registry_trusts_no_client_token(stack: Stack, secret: tuple[str, oci.Image]) -> None:
    repository, image = secret
    token = stack.token(f"repository:{repository}:pull,push")
    transport = httpx.HTTPTransport(uds=str(tokens.registry_socket(stack)))
    with httpx.Client(transport=transport, base_url="http://registry") as client:
        for headers in ({}, {"Authorization": f"Bearer {token}"}):
            answer = client.get(f"/v2/{repository}/blobs/{oci.digest_of(image.layer)}", headers=headers)
            assert answer.status_code == 401, answer.text
            assert client.post(f"/v2/{repository}/blobs/uploads/", headers=headers).status_code == 401


def test_the_internal_key_signs_no_client_token(stack: Stack, secret: tuple[str, oci.Image]) -> None:
    repository, _ = secret
    key = load_pem_private_key((stack.data_dir / "keys" / "internal" / "registry.key").read_bytes(), password=None)
    assert isinstance(key, Key)
    token = tokens.sign(tokens.claims_of(stack.token(f"repository:{repository}:pull")), key)
    with stack.client() as client:
        answer = client.get(f"/v2/{repository}/manifests/1.0", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "scope",
    [
        "repository:library/app",
        "library/app:pull",
        "repository",
        ":",
        "repository::pull",
        "x" * 2000 + ":library/app:pull",
        " ".join(f"repository:library/r{number}:pull" for number in range(101)),
    ],
)
def test_scopes_outside_the_grammar_are_refused(stack: Stack, scope: str) -> None:
    with stack.api() as admin:
        answer = admin.get("/service/token", params={"service": "harbor-registry", "scope": scope})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "name",
    ["../library/app", "library/../secret", "LIBRARY/app", "library//app", "library/app/", "%2e%2e/app", "é/app",
     "library/app\x00", "*"],
)  # fmt: skip
def test_scopes_of_impossible_names_grant_nothing(stack: Stack, name: str) -> None:
    claims = tokens.claims_of(stack.token(f"repository:{name}:pull,push,delete"))
    assert all(item["actions"] == [] for item in claims["access"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/{repository}/tags/list?n=" + "9" * 40, 200),
        ("/v2/{repository}/tags/list?n=10&last=" + "z" * 5000, 200),
        ("/v2/{repository}/tags/list?n=1&last=%00", 200),
        ("/v2/{repository}/tags/list?n=1e3", 400),
        ("/v2/{repository}/tags/list?n=%D9%A1", 400),
        ("/v2/_catalog?n=-5", 400),
        ("/v2/_catalog?n=" + "9" * 40, 200),
        ("/v2/_catalog?n=abc", 400),
        ("/v2/_catalog?last=" + "z" * 5000, 200),
        ("/v2/{repository}/referrers/{digest}?last=" + "9" * 40, 200),
        ("/v2/{repository}/referrers/{digest}?last=-1", 200),
        ("/v2/{repository}/referrers/sha256:abc", 400),
        ("/api/v2.0/projects?page=-1", 422),
        ("/api/v2.0/projects?page_size=" + "9" * 40, 422),
        ("/api/v2.0/projects?page=" + "9" * 40, 422),
    ],
)
def test_paging_values_of_any_size(stack: Stack, secret: tuple[str, oci.Image], path: str, status: int) -> None:
    repository, image = secret
    with stack.api() as admin:
        answer = admin.get(path.format(repository=repository, digest=image.digest))
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.json()["errors"][0]["message"]
