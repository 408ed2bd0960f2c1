"""Robots that trust other issuers: the trusts are managed."""

import json
from pathlib import Path
from typing import Any

import pytest

from auth.models import Robot, RobotTrust
from auth.rbac import Role
from auth.services import trusts
from harbor_core.models import AuditLog
from projects import access
from projects.models import Member
from tests.cast import World, grant_robot, make_project, make_robot
from tests.support.issuer import AUDIENCE, Issuer, make_key, public_jwk

pytestmark = pytest.mark.usefixtures("token_keys")


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
