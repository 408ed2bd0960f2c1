"""The token service: scopes, grants, the endpoint, signatures and key rotation."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from auth import bearer, keys, token_service
from auth.keys import KeyRing, create_token_key, prune_token_keys
from auth.token_service import Scope, parse_scopes
from harbor_core.lib.errors import HarborError
from harbor_core.services.config import YEAR_SECONDS
from tests.cast import PASSWORD, World, configure, make_project

pytestmark = pytest.mark.usefixtures("token_keys")
ALL = frozenset({"pull", "push", "delete"})


# ---------------------------------------------------------------------- scopes


@pytest.mark.parametrize(
    ("values", "scopes"),
    [
        ([], []),
        ([""], []),
        (["repository:a/b:pull,push"], [Scope("repository", "a/b", frozenset({"pull", "push"}))]),
        (["repository:a/b:"], [Scope("repository", "a/b", frozenset())]),
        (["repository(plugin):a/b:pull"], [Scope("repository", "a/b", frozenset({"pull"}))]),
        (["registry:catalog:*"], [Scope("registry", "catalog", frozenset({"*"}))]),
        (["repository:host:5000/a:pull"], [Scope("repository", "host:5000/a", frozenset({"pull"}))]),
        (
            ["repository:a/b:pull repository:c/d:push", "repository:a/b:push"],
            [Scope("repository", "a/b", frozenset({"pull", "push"})), Scope("repository", "c/d", frozenset({"push"}))],
        ),
    ],
)
def test_scopes(values: list[str], scopes: list[Scope]) -> None:
    assert parse_scopes(values) == scopes


@pytest.mark.parametrize(
    "value", ["x", "repository", "repository:", "repository:a/b", "::", "re pository:", ":a:b", "a" * 2000]
)
def test_malformed_scopes(value: str) -> None:
    with pytest.raises(HarborError) as caught:
        parse_scopes([value])
    assert caught.value.status == 400


def test_too_many_scopes() -> None:
    with pytest.raises(HarborError):
        parse_scopes([f"repository:a/b{number}:pull" for number in range(101)])


@given(st.lists(st.text(max_size=60), max_size=5))
def test_scopes_never_fail_otherwise(values: list[str]) -> None:
    try:
        scopes = parse_scopes(values)
    except HarborError as error:
        assert error.status == 400
    else:
        assert len({(scope.type, scope.name) for scope in scopes}) == len(scopes)


# ---------------------------------------------------------------------- grants


@pytest.mark.parametrize(
    ("persona", "wanted", "granted"),
    [
        ("sysadmin", "pull,push,delete", ["pull", "push", "delete"]),
        ("project_admin", "pull,push,delete", ["pull", "push", "delete"]),
        ("maintainer", "*", ["pull", "push", "delete"]),
        ("developer", "pull,push,delete", ["pull", "push"]),
        ("developer", "pull", ["pull"]),
        ("guest", "pull,push", ["pull"]),
        ("limited_guest", "pull,push", ["pull"]),
        ("robot", "pull,push,delete", ["pull", "push"]),
        ("outsider", "pull", []),
        ("anonymous", "pull", []),
        ("sysadmin", "fly,scanner-pull", []),
    ],
)
def test_grant_is_what_was_asked_for_and_is_allowed(
    world: World, persona: str, wanted: str, granted: list[str]
) -> None:
    (scope,) = parse_scopes([f"repository:team/app:{wanted}"])
    assert token_service.allowed_actions(world.actor(persona), scope) == granted


@pytest.mark.parametrize(
    "name", ["nowhere/app", "team", "team/UPPER", "team/../library/app", "team//app", "team/app\0", "x" * 300 + "/a"]
)
def test_what_is_not_there_grants_nothing(world: World, name: str) -> None:
    for persona in ("sysadmin", "anonymous"):
        assert token_service.allowed_actions(world.actor(persona), Scope("repository", name, ALL)) == []


def test_public_projects(world: World) -> None:
    make_project("open", world.users["sysadmin"], public=True)
    for persona in ("anonymous", "outsider"):
        assert token_service.allowed_actions(world.actor(persona), Scope("repository", "open/app", ALL)) == ["pull"]


def test_catalog_is_for_administrators(world: World) -> None:
    scope = Scope("registry", "catalog", frozenset({"*"}))
    assert token_service.allowed_actions(world.actor("sysadmin"), scope) == ["*"]
    for persona in ("project_admin", "robot", "anonymous"):
        assert token_service.allowed_actions(world.actor(persona), scope) == []
    assert token_service.allowed_actions(world.actor("sysadmin"), Scope("registry", "other", frozenset({"*"}))) == []


# ---------------------------------------------------------------------- the endpoint


def ask(login: str = "", client: Client | None = None, method: str = "GET", **query: Any) -> Any:
    headers = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()} if login else {}
    client = client or Client()
    return getattr(client, method.lower())("/service/token", {"service": "harbor-registry"} | query, headers=headers)


def test_answer(world: World) -> None:
    configure(token_expiration=7)
    answer = ask(f"developer:{PASSWORD}", scope="repository:team/app:pull,push,delete", account="developer")
    body = answer.json()
    assert body["token"] == body["access_token"]
    assert body["expires_in"] == 420
    issued = datetime.strptime(body["issued_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs(issued - datetime.now(UTC)) < timedelta(seconds=5)
    assert answer["Cache-Control"] == "no-store"
    header = jwt.get_unverified_header(body["token"])
    assert (header["alg"], header["typ"]) == ("ES256", "JWT")
    grant = bearer.verify(body["token"])
    assert grant is not None
    assert (grant.name, grant.subject) == ("developer", f"u:{world.users['developer'].pk}")
    assert grant.access == {"repository:team/app": frozenset({"pull", "push"})}


def test_kid_is_libtrusts_fingerprint() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    expected = base64.b32encode(hashlib.sha256(der).digest()[:30]).decode()
    assert keys.key_id(key).replace(":", "") == expected
    assert all(len(part) == 4 for part in keys.key_id(key).split(":"))


def test_who_gets_a_token(world: World) -> None:
    scope = "repository:team/app:pull"
    assert ask("robot$team+ci:robot-secret", scope=scope).status_code == 200
    assert ask("robot$team+ci:wrong", scope=scope).status_code == 401
    assert ask("developer:wrong", scope=scope).status_code == 401
    assert ask("nobody:wrong", scope=scope).status_code == 401
    assert ask(f"developer:{PASSWORD}").status_code == 200
    assert ask(scope=scope).status_code == 200
    assert ask().status_code == 401
    refused = ask("developer:wrong", scope=scope)
    assert refused["WWW-Authenticate"] == 'Basic realm="harbor"'
    assert refused.json()["errors"][0]["code"] == "UNAUTHORIZED"


def test_with_a_session(world: World) -> None:
    client = Client()
    client.force_login(world.users["developer"], backend="auth.backends.local.LocalBackend")
    grant = bearer.verify(ask(client=client, scope="repository:team/app:push").json()["token"])
    assert grant is not None and grant.access["repository:team/app"] == {"push"}


def test_bad_requests(world: World) -> None:
    assert ask(service="other").status_code == 400
    assert ask(scope="nonsense").status_code == 400
    posted = ask(method="POST", scope="repository:team/app:pull")
    assert posted.status_code == 405  # makes clients fall back to GET


# ---------------------------------------------------------------------- forged and old tokens


def claims(**change: Any) -> dict[str, Any]:
    now = int(time.time())
    base = {
        "iss": settings.TOKEN_ISSUER,
        "aud": settings.TOKEN_SERVICE,
        "sub": "admin",
        "hsub": "u:1",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "access": [{"type": "repository", "name": "team/app", "actions": ["pull"]}],
    }
    return {key: value for key, value in (base | change).items() if value is not None}


def test_a_good_token_is_read() -> None:
    grant = bearer.verify(keys.token_keys.sign(claims()))
    assert grant is not None and not grant.expired and grant.seconds_left > 500


def test_an_expired_token_says_so() -> None:
    """Open uploads go on with it; everything else asks ``expired``."""
    long_ago = int(time.time()) - 7200
    grant = bearer.verify(keys.token_keys.sign(claims(iat=long_ago, nbf=long_ago, exp=long_ago + 60)))
    assert grant is not None and grant.expired and grant.seconds_left == 0


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "other"},
        {"aud": "other"},
        {"nbf": int(time.time()) + 3600},
        {"exp": None},
        {"iat": None},
        {"access": "everything"},
        {"access": [{"type": "repository"}]},
        {"exp": "soon"},
    ],
)
def test_wrong_claims(change: dict[str, Any]) -> None:
    assert bearer.verify(keys.token_keys.sign(claims(**change))) is None


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_forged_signatures() -> None:
    good = keys.token_keys.sign(claims())
    kid = jwt.get_unverified_header(good)["kid"]
    public = keys.token_keys._keys[kid].public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    foreign = ec.generate_private_key(ec.SECP256R1())
    head, body, signature = good.split(".")
    other_body = _part(claims(sub="root", hsub="u:2"))
    hmac_input = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{body}"
    hs256 = base64.urlsafe_b64encode(hmac.new(public, hmac_input.encode(), "sha256").digest()).rstrip(b"=").decode()
    rs256 = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for forged in (
        jwt.encode(claims(), foreign, "ES256", {"kid": kid}),
        jwt.encode(claims(), foreign, "ES256", {"kid": keys.key_id(foreign.public_key())}),
        jwt.encode(claims(), foreign, "ES256"),
        jwt.encode(claims(), rs256, "RS256", {"kid": kid}),
        f"{_part({'alg': 'none', 'typ': 'JWT', 'kid': kid})}.{body}.",
        f"{hmac_input}.{hs256}",
        f"{head}.{other_body}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}.{'A' * 86}",
        "a.b.c",
        "",
        "x" * 20_000,
    ):
        assert bearer.verify(forged) is None, forged[:80]


# ---------------------------------------------------------------------- rotation


def test_rotation_keeps_old_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "RELOAD_SECONDS", 0.0)
    first = create_token_key(tmp_path)
    ring = KeyRing(tmp_path / "token")
    old = ring.sign(claims())
    second = create_token_key(tmp_path)
    new = ring.sign(claims())
    assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"]
    assert ring.verify(old)["sub"] == ring.verify(new)["sub"] == "admin"
    assert first.stat().st_mode & 0o777 == second.stat().st_mode & 0o777 == 0o600
    # The first key stopped signing a moment ago: its tokens may still be in use.
    assert prune_token_keys(tmp_path, datetime.now(UTC) - timedelta(minutes=31)) == []
    assert prune_token_keys(tmp_path, datetime.now(UTC) + timedelta(seconds=5)) == [first]
    assert ring.verify(new)["sub"] == "admin"
    with pytest.raises(jwt.InvalidTokenError):
        ring.verify(old)


def test_the_key_that_signs_is_never_pruned(tmp_path: Path) -> None:
    only = create_token_key(tmp_path)
    assert prune_token_keys(tmp_path, datetime.now(UTC) + timedelta(days=999)) == []
    assert only.exists()


def test_rotate_command(db: None, settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings.KEY_DIR = tmp_path
    old = create_token_key(tmp_path)
    call_command("rotate_token_key", "--prune")
    assert len(list((tmp_path / "token").glob("*.pem"))) == 2
    assert old.exists()
    assert capsys.readouterr().out.startswith("created ")


def test_the_longest_token_that_can_be_set(
    world: World, settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Thousands of years by the setting; no clock holds that."""
    configure(token_expiration=9_999_999_999)
    assert token_service.issue(world.actor("developer"), [])["expires_in"] == YEAR_SECONDS
    settings.KEY_DIR = tmp_path
    call_command("rotate_token_key", "--prune")
    assert capsys.readouterr().out.startswith("created ")
