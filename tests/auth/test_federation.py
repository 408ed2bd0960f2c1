"""Tokens of other issuers for robots: whom they stand for."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from auth import bearer, federation, issuer_keys, last_used
from auth.models import Robot, RobotTrust
from harbor_core.lib.errors import HarborError
from harbor_core.models import AuditLog
from harbor_core.registry import authorize
from projects import access
from projects.models import Project
from tests.auth.federating import EXCHANGE, SUBJECT, exchange, post, signed_in, trust
from tests.cast import World, make_robot
from tests.support.issuer import AUDIENCE, Issuer, make_key, public_jwk

pytestmark = pytest.mark.usefixtures("token_keys")


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
    answer = post(data)
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
