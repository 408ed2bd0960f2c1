"""``/users``."""

import pytest

from auth.models import User
from harbor_core.models import AuditLog
from tests.cast import PASSWORD, World, configure, make_user

NEW = {"username": "new", "realname": "New", "password": "Passw0rd-1", "email": "new@example.org"}


def test_create(world: World) -> None:
    made = world.api("sysadmin", "POST", "users", NEW | {"comment": "hi"})
    assert (made.status_code, made.content) == (201, b"")
    seen = world.api("sysadmin", "GET", made["Location"]).json()
    assert made["Location"] == f"/api/v2.0/users/{seen['user_id']}"
    times = {seen.pop("creation_time")[-1], seen.pop("update_time")[-1]}
    assert times == {"Z"}
    assert seen == {
        "user_id": seen["user_id"],
        "username": "new",
        "realname": "New",
        "email": "new@example.org",
        "comment": "hi",
        "sysadmin_flag": False,
        "admin_role_in_auth": False,
    }
    assert world.api("new:Passw0rd-1", "GET", "users/current").json()["username"] == "new"
    row = AuditLog.objects.get(resource_type="user")
    assert (row.username, row.operation, row.resource) == ("admin", "create", "new")


@pytest.mark.parametrize(
    "change",
    [
        {"username": ""},
        {"username": "x" * 256},
        {"username": "a,b"},
        {"username": 'a"b'},
        {"username": "a~b"},
        {"username": "a#b"},
        {"username": "a%b"},
        {"username": "robot$x"},
        {"username": "a\nb"},
        {"realname": ""},
        {"realname": "a#b"},
        {"comment": "x" * 31},
        {"email": "nobody"},
        {"email": "a@b@c"},
        {"password": "Short-1"},
        {"password": "x" * 129},
        {"password": "no-upper-1"},
        {"password": "NO-LOWER-1"},
        {"password": "No-Digits"},
    ],
)
def test_rules(world: World, change: dict[str, str]) -> None:
    before = User.objects.count()
    expected = 422 if len(change.get("username", "")) > 255 else 400
    assert world.api("sysadmin", "POST", "users", NEW | change).status_code == expected
    assert User.objects.count() == before


def test_name_and_address_are_taken_once(world: World) -> None:
    assert world.api("sysadmin", "POST", "users", NEW).status_code == 201
    assert world.api("sysadmin", "POST", "users", NEW | {"email": "other@example.org"}).status_code == 409
    assert world.api("sysadmin", "POST", "users", NEW | {"username": "other"}).status_code == 409
    assert world.api("sysadmin", "POST", "users", NEW | {"username": "anonymous", "email": ""}).status_code == 409
    assert world.api("sysadmin", "POST", "users", NEW | {"username": "third", "email": ""}).status_code == 201
    assert world.api("sysadmin", "POST", "users", NEW | {"username": "fourth", "email": ""}).status_code == 201


def test_accounts_from_elsewhere(world: World) -> None:
    configure(auth_mode="ldap_auth")
    assert world.api("sysadmin", "POST", "users", NEW).status_code == 403


def test_list(world: World) -> None:
    listed = world.api("sysadmin", "GET", "users?page_size=100")
    names = [row["username"] for row in listed.json()]
    assert names == sorted(names)
    assert "admin" not in names and "anonymous" not in names
    assert listed["X-Total-Count"] == str(len(names)) == "6"
    assert [row["username"] for row in world.api("sysadmin", "GET", "users?username=GUEST").json()] == [
        "guest",
        "limited_guest",
    ]
    assert [
        row["username"] for row in world.api("sysadmin", "GET", "users?q=username%3D%7Bguest+developer%7D").json()
    ] == [
        "developer",
        "guest",
    ]


def test_search(world: World) -> None:
    found = world.api("guest", "GET", "users/search?username=ADM")
    assert [row["username"] for row in found.json()] == ["admin", "project_admin"]
    assert set(found.json()[0]) == {"user_id", "username"}
    assert world.api("guest", "GET", "users/search").status_code == 422
    assert world.api("guest", "GET", "users/search?username=%25").json() == []


def test_profile(world: World) -> None:
    path = f"users/{world.users['guest'].pk}"
    assert world.api("guest", "PUT", path, {"realname": "G", "email": "g@example.org"}).status_code == 200
    seen = world.api("guest", "GET", path).json()
    assert (seen["realname"], seen["email"], "comment" in seen) == ("G", "g@example.org", False)
    make_user("rival", email="r@example.org")
    assert world.api("guest", "PUT", path, {"email": "r@example.org"}).status_code == 409
    assert world.api("guest", "PUT", path, {"realname": ""}).status_code == 400
    assert world.api("sysadmin", "PUT", "users/424242", {}).status_code == 404


def test_password(world: World) -> None:
    path = f"users/{world.users['guest'].pk}/password"
    new = "Another-horse-8"
    change = {"old_password": PASSWORD, "new_password": new}
    assert world.api("guest", "PUT", path, change | {"old_password": "wrong"}).status_code == 403
    assert world.api("guest", "PUT", path, change | {"new_password": "weak"}).status_code == 400
    assert world.api("guest", "PUT", path, change | {"new_password": PASSWORD}).status_code == 400
    assert world.api("guest", "GET", "users/current").status_code == 200
    assert world.api("guest", "PUT", path, change).status_code == 200
    assert world.api("guest", "GET", "users/current").status_code == 401
    assert world.api(f"guest:{new}", "GET", "users/current").status_code == 200
    assert world.api("sysadmin", "PUT", path, {"new_password": PASSWORD}).status_code == 200
    own = f"users/{world.users['sysadmin'].pk}/password"
    assert world.api("sysadmin", "PUT", own, {"new_password": new}).status_code == 403


def test_sysadmin_flag(world: World) -> None:
    path = f"users/{world.users['guest'].pk}/sysadmin"
    assert world.api("guest", "GET", "users").status_code == 403
    assert world.api("sysadmin", "PUT", path, {"sysadmin_flag": True}).status_code == 200
    assert world.api("guest", "GET", "users").status_code == 200
    assert world.api("sysadmin", "PUT", path, {"sysadmin_flag": "yes"}).status_code == 422


def test_delete_frees_name_and_address(world: World) -> None:
    made = world.api("sysadmin", "POST", "users", NEW)
    world.api("sysadmin", "POST", "projects/team/members", {"role_id": 1, "member_user": {"username": "new"}})
    login = "new:Passw0rd-1"
    assert world.api(login, "GET", "projects/team").status_code == 200
    assert world.api("sysadmin", "DELETE", made["Location"]).status_code == 200
    assert world.api(login, "GET", "users/current").status_code == 401
    assert world.api("sysadmin", "GET", made["Location"]).status_code == 404
    names = [row["entity_name"] for row in world.api("sysadmin", "GET", "projects/team/members").json()]
    assert not [name for name in names if name.startswith("new")]
    again = world.api("sysadmin", "POST", "users", NEW)
    assert again.status_code == 201 and again["Location"] != made["Location"]
    assert world.api(login, "GET", "projects/team").status_code == 403


def test_who_cannot_be_deleted(world: World) -> None:
    assert world.api("sysadmin", "DELETE", "users/1").status_code == 403
    make_user("second", sysadmin_flag=True)
    assert world.api(f"second:{PASSWORD}", "DELETE", "users/1").status_code == 403
    assert world.api("sysadmin", "DELETE", "users/2").status_code == 404  # the row that holds the id of anonymous


def test_permissions(world: World) -> None:
    scope = f"/project/{world.project.pk}"
    full = world.api("guest", "GET", f"users/current/permissions?scope={scope}").json()
    assert {"resource": f"{scope}/repository", "action": "pull"} in full
    assert {"resource": scope, "action": "read"} in full
    relative = world.api("guest", "GET", f"users/current/permissions?scope={scope}&relative=true").json()
    assert {"resource": "repository", "action": "pull"} in relative
    assert {"resource": ".", "action": "read"} in relative
    assert len(full) == len(relative)
    assert world.api("outsider", "GET", f"users/current/permissions?scope={scope}").json() == []
    assert world.api("outsider", "GET", "users/current/permissions?scope=/project/424242").json() == []
    assert world.api("guest", "GET", "users/current/permissions?scope=/nonsense").status_code == 400
    assert world.api("guest", "GET", "users/current/permissions").json() == []
    system = world.api("sysadmin", "GET", "users/current/permissions").json()
    assert {"resource": "/system/user", "action": "create"} in system
