"""``/users`` at its limits: names and passwords, registering oneself, names that come again."""

import secrets
from typing import Any

import pytest
from django.test import Client

from auth.models import ADMIN_ID, User
from harbor_core.models import AuditLog
from tests.cast import API, PASSWORD, World, configure, make_user

NEW = {"username": "new", "realname": "New", "password": "Passw0rd-1"}


def create(world: World, **change: Any) -> int:
    return world.api("sysadmin", "POST", "users", NEW | change).status_code


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"username": "x"}, 201),
        ({"username": "x" * 255}, 201),
        ({"username": "x" * 256}, 422),
        ({"username": "姓名 ☃"}, 201),
        ({"username": "a+b@example.org"}, 201),
        ({"username": "a/b"}, 201),
        ({"username": " "}, 201),
        ({"username": "a\u007fb"}, 400),
        ({"realname": "x" * 255}, 201),
        ({"realname": "x" * 256}, 400),
        ({"comment": "x" * 30}, 201),
        ({"comment": "x" * 31}, 400),
        ({"email": "a" * 243 + "@example.org"}, 201),
        ({"email": "a" * 244 + "@example.org"}, 422),
        ({"email": "a+b@example.org"}, 201),
        ({"email": "a b@example.org"}, 400),
        ({"email": "@example.org"}, 400),
        ({"password": "Abcdef-1"}, 201),
        ({"password": "Abcde-1"}, 400),
        ({"password": "Aa1" + "x" * 125}, 201),
        ({"password": "Aa1" + "x" * 126}, 400),
        ({"password": "Äöüß-١٢٣"}, 201),
        ({"password": ""}, 400),
        ({"password": None}, 400),
        ({"username": 1}, 422),
        ({"sysadmin_flag": True, "user_id": 1, "admin_role_in_auth": True}, 201),
    ],
)
def test_limits(world: World, change: dict[str, Any], status: int) -> None:
    before = User.objects.count()
    assert create(world, **change) == status
    assert User.objects.count() == before + (status == 201)
    if status == 201:
        made = User.objects.latest("pk")
        assert (made.sysadmin_flag, made.pk > ADMIN_ID) == (False, True)
        login = f"{made.username}:{change.get('password', NEW['password'])}"
        assert world.api(login, "GET", "users/current").json()["username"] == made.username


def test_the_first_administrator_is_in_no_list(world: World) -> None:
    for query in ("", "?username=admin", "?q=user_id%3D1", "?q=username%3Dadmin", "?sort=user_id", "?page_size=0"):
        rows = world.api("sysadmin", "GET", f"users{query}").json()
        assert ADMIN_ID not in [row["user_id"] for row in rows], query
    assert world.api("sysadmin", "GET", "users?q=user_id%3D1")["X-Total-Count"] == "0"


# ---------------------------------------------------------------------- registering oneself
class Browser:
    """Speaks as a browser does: cookies, and the token of an answer in the next unsafe request."""

    def __init__(self) -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.client.cookies["sid"] = secrets.token_urlsafe(16)  # a visitor's, nobody is signed in
        self.token = self.client.get(f"{API}/systeminfo")["X-Harbor-CSRF-Token"]

    def post(self, path: str, body: dict[str, Any], *, token: str | None = None) -> Any:
        headers = {"X-Harbor-CSRF-Token": self.token if token is None else token}
        return self.client.post(f"{API}/{path}", body, content_type="application/json", headers=headers)


def test_a_visitor_registers(world: World) -> None:
    browser = Browser()
    assert browser.post("users", NEW).status_code == 401  # not unless it is allowed
    configure(self_registration=True)
    assert browser.post("users", NEW, token="").status_code == 403
    assert browser.post("users", NEW | {"password": "weak"}).status_code == 400
    made = browser.post("users", NEW | {"sysadmin_flag": True})
    assert made.status_code == 201
    assert browser.post("users", NEW).status_code == 409
    assert not User.objects.get(username="new").sysadmin_flag
    assert world.api("new:Passw0rd-1", "GET", "users/current").status_code == 200
    row = AuditLog.objects.get(resource_type="user", operation="create")
    assert (row.username, row.resource) == ("anonymous", "new")


def test_scripts_do_not_register(world: World) -> None:
    configure(self_registration=True)
    refused = world.api("anonymous", "POST", "users", NEW)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "FORBIDDEN")
    assert world.api("outsider", "POST", "users", NEW).status_code == 403
    assert world.api("sysadmin", "POST", "users", NEW).status_code == 201


def test_nobody_registers_where_accounts_come_from_elsewhere(world: World) -> None:
    configure(self_registration=True, auth_mode="oidc_auth")
    assert Browser().post("users", NEW).status_code == 403
    assert not User.objects.filter(username="new").exists()


# ---------------------------------------------------------------------- names that come again
def test_a_name_comes_again_and_again(world: World) -> None:
    for _ in range(3):
        made = world.api("sysadmin", "POST", "users", NEW | {"email": "new@example.org"})
        assert made.status_code == 201
        assert world.api("sysadmin", "DELETE", made["Location"]).status_code == 200
    assert User.objects.filter(username__startswith="new#", deleted=True).count() == 3
    for query in ("username=new", "email=new@", "q=username%3D~new"):
        assert world.api("sysadmin", "GET", f"users?{query}").json() == []
    assert world.api("guest", "GET", "users/search?username=new").json() == []


def test_a_deleted_account_is_nobody_everywhere(world: World) -> None:
    gone = make_user("gone")
    assert world.api("sysadmin", "DELETE", f"users/{gone.pk}").status_code == 200
    path = f"users/{gone.pk}"
    for verb, target, body in (
        ("GET", path, None),
        ("PUT", path, {"realname": "x"}),
        ("DELETE", path, None),
        ("PUT", f"{path}/password", {"new_password": "Passw0rd-2"}),
        ("PUT", f"{path}/sysadmin", {"sysadmin_flag": True}),
    ):
        assert world.api("sysadmin", verb, target, body).status_code == 404, (verb, target)
    for login in (f"gone:{PASSWORD}", f"gone#{gone.pk}:{PASSWORD}"):
        assert world.api(login, "GET", "users/current").status_code == 401
    for body in ({"user_id": gone.pk}, {"username": "gone"}, {"username": f"gone#{gone.pk}"}):
        member = {"role_id": 1, "member_user": body}
        assert world.api("sysadmin", "POST", "projects/team/members", member).status_code == 404


def test_permissions_of_robots(world: World) -> None:
    scope = f"/project/{world.project.pk}"
    rows = world.api("robot", "GET", f"users/current/permissions?scope={scope}&relative=true").json()
    pairs = {f"{row['resource']}:{row['action']}" for row in rows}
    assert {"repository:pull", "repository:push", "tag:create"} <= pairs and "member:create" not in pairs
    assert world.api("robot", "GET", "users/current/permissions").json() == []
    system = world.api("system_robot", "GET", "users/current/permissions").json()
    assert system == [{"resource": "/system/project", "action": "list"}]
