"""``/projects/{project}/members``."""

import pytest

from auth.models import User, UserGroup
from auth.models.group import GroupMembership
from projects.models import Member
from tests.cast import PASSWORD, World, configure, make_project


def test_members(world: World) -> None:
    listed = world.api("guest", "GET", "projects/team/members")
    assert listed["X-Total-Count"] == "5"
    assert [row["role_name"] for row in listed.json()] == [
        "projectAdmin",
        "maintainer",
        "developer",
        "guest",
        "limitedGuest",
    ]
    outsider = world.users["outsider"]
    made = world.api(
        "project_admin", "POST", "projects/team/members", {"role_id": 4, "member_user": {"user_id": outsider.pk}}
    )
    assert made.status_code == 201
    assert made["Location"].startswith(f"/api/v2.0/projects/{world.project.pk}/members/")
    seen = world.api("guest", "GET", made["Location"]).json()
    assert (seen["entity_name"], seen["entity_type"], seen["role_name"]) == ("outsider", "u", "maintainer")
    assert world.api("outsider", "GET", "projects/team").status_code == 200
    assert world.api("project_admin", "PUT", made["Location"], {"role_id": 5}).status_code == 200
    assert world.api("outsider", "GET", "projects/team/members").status_code == 403
    assert world.api("project_admin", "DELETE", made["Location"]).status_code == 200
    assert world.api("outsider", "GET", "projects/team").status_code == 403
    assert world.api("guest", "GET", made["Location"]).status_code == 404
    part = world.api("guest", "GET", "projects/team/members?entityname=GUEST").json()
    assert [row["entity_name"] for row in part] == ["guest", "limited_guest"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"role_id": 1}, 400),
        ({"role_id": 9, "member_user": {"username": "outsider"}}, 400),
        ({"role_id": 0, "member_user": {"username": "outsider"}}, 400),
        ({"role_id": 1, "member_user": {"username": "outsider"}, "member_group": {"group_name": "g"}}, 400),
        ({"role_id": 1, "member_user": {"username": "nobody"}}, 404),
        ({"role_id": 1, "member_user": {"user_id": 2}}, 404),
        ({"role_id": 1, "member_group": {"id": 7}}, 404),
        ({"role_id": 1, "member_user": {"username": "guest"}}, 409),
        ({"role_id": "1", "member_user": {"username": "outsider"}}, 422),
        ({"role_id": 1, "member_user": "outsider"}, 422),
    ],
)
def test_member_rules(world: World, body: dict, status: int) -> None:
    assert world.api("project_admin", "POST", "projects/team/members", body).status_code == status
    assert world.project.members.count() == 5


def test_members_of_other_projects_are_out_of_reach(world: World) -> None:
    other = make_project("other", world.users["outsider"])
    made = world.api(
        "sysadmin", "POST", "projects/other/members", {"role_id": 1, "member_user": {"username": "outsider"}}
    )
    foreign = world.project.members.get(user=world.users["guest"]).pk
    assert made.status_code == 201
    for verb, body in (("GET", None), ("PUT", {"role_id": 1}), ("DELETE", None)):
        assert world.api("outsider", verb, f"projects/{other.pk}/members/{foreign}", body).status_code == 404


def test_group_members(world: World) -> None:
    group = UserGroup.objects.create(group_name="crew", group_type=UserGroup.Type.OIDC)
    body = {"role_id": 2, "member_group": {"group_name": "crew", "group_type": 3}}
    made = world.api("project_admin", "POST", "projects/team/members", body)
    assert made.status_code == 201
    seen = world.api("guest", "GET", made["Location"]).json()
    assert (seen["entity_type"], seen["entity_id"], seen["entity_name"]) == ("g", group.pk, "crew")
    assert world.api("outsider", "GET", "projects/team").status_code == 403
    GroupMembership.objects.create(group=group, user=world.users["outsider"])
    assert world.api("outsider", "GET", "projects/team").json()["current_user_role_ids"] == [2]
    # Rights add up, and the highest role comes first.
    world.api("project_admin", "POST", "projects/team/members", {"role_id": 4, "member_user": {"username": "outsider"}})
    assert world.api("outsider", "GET", "projects/team").json()["current_user_role_ids"] == [4, 2]


# ---------------------------------------------------------------------- groups made on demand
def add_group(world: World, **group: object) -> int:
    body = {"role_id": 2, "member_group": group}
    return world.api("project_admin", "POST", "projects/team/members", body).status_code


@pytest.mark.parametrize(("mode", "kind"), [("oidc_auth", 3), ("http_auth", 2)])
def test_a_group_of_the_provider_is_made_by_name(world: World, mode: str, kind: int) -> None:
    configure(auth_mode=mode)
    assert add_group(world, group_name="crew") == 201
    group = UserGroup.objects.get()
    assert (group.group_name, group.group_type, group.ldap_group_dn) == ("crew", kind, "")
    assert add_group(world, group_name="crew", group_type=kind) == 409
    assert add_group(world, group_name="others", group_type=kind % 3 + 1) == 404
    assert add_group(world, group_name=" ") == 400
    assert UserGroup.objects.count() == 1


def test_a_group_of_the_directory_is_made_by_distinguished_name(world: World) -> None:
    configure(auth_mode="ldap_auth")
    assert add_group(world, ldap_group_dn="cn=Crew,ou=Groups,dc=example,dc=org") == 201
    group = UserGroup.objects.get()
    assert (group.group_name, group.group_type) == ("crew", 1)
    assert group.ldap_group_dn == "cn=crew,ou=groups,dc=example,dc=org"
    assert add_group(world, ldap_group_dn="CN=crew,OU=groups,DC=example,DC=org") == 409
    assert add_group(world, ldap_group_dn="nonsense") == 400
    assert add_group(world, group_name="unknown") == 404
    assert add_group(world, group_name="crew") == 409
    named = {"ldap_group_dn": "cn=ops,dc=example,dc=org", "group_name": "Operators"}
    assert add_group(world, **named) == 201
    assert UserGroup.objects.filter(group_name="Operators").exists()


def test_no_group_is_made_for_local_accounts(world: World) -> None:
    assert add_group(world, group_name="crew") == 404
    assert add_group(world, group_name="crew", group_type=3) == 404
    assert add_group(world, ldap_group_dn="cn=crew,dc=example,dc=org") == 404
    assert not UserGroup.objects.exists()


def test_a_refused_member_leaves_no_group(world: World) -> None:
    configure(auth_mode="oidc_auth")
    body = {"role_id": 9, "member_group": {"group_name": "crew"}}
    assert world.api("project_admin", "POST", "projects/team/members", body).status_code == 400
    assert not UserGroup.objects.exists()


def test_the_role_of_a_group_ends_with_it(world: World) -> None:
    group = UserGroup.objects.create(group_name="crew", group_type=UserGroup.Type.OIDC)
    GroupMembership.objects.create(group=group, user=world.users["outsider"])
    assert add_group(world, id=group.pk) == 201
    assert world.api("outsider", "GET", "projects/team").status_code == 200
    assert world.api("sysadmin", "DELETE", f"usergroups/{group.pk}").status_code == 200
    assert world.api("outsider", "GET", "projects/team").status_code == 403
    assert world.project.members.count() == 5


# ---------------------------------------------------------------------- leaving
def test_everybody_who_manages_members_may_leave(world: World) -> None:
    own = world.project.members.get(user=world.users["project_admin"]).pk
    assert world.api("project_admin", "DELETE", f"projects/team/members/{own}").status_code == 200
    assert world.api("project_admin", "GET", "projects/team").status_code == 403
    assert world.api("project_admin", "DELETE", f"projects/team/members/{own}").status_code == 403
    # Nobody is left who could let anybody in but the system's administrators.
    again = {"role_id": 1, "member_user": {"username": "project_admin"}}
    assert world.api("maintainer", "POST", "projects/team/members", again).status_code == 403
    assert world.api("sysadmin", "POST", "projects/team/members", again).status_code == 201


def test_one_may_give_up_a_role(world: World) -> None:
    own = world.project.members.get(user=world.users["project_admin"]).pk
    assert world.api("project_admin", "PUT", f"projects/team/members/{own}", {"role_id": 3}).status_code == 200
    assert world.api("project_admin", "PUT", f"projects/team/members/{own}", {"role_id": 1}).status_code == 403
    for role in (0, 6, -1):
        assert world.api("sysadmin", "PUT", f"projects/team/members/{own}", {"role_id": role}).status_code == 400
    assert world.api("sysadmin", "PUT", f"projects/team/members/{own}", {}).status_code == 400
    assert world.api("sysadmin", "PUT", "projects/team/members/x", {"role_id": 1}).status_code == 422
    assert Member.objects.get(pk=own).role == 3


def test_names_of_users_are_found_whole(world: World) -> None:
    User.objects.create(username="Anna+Ops@example.org", realname="A")
    body = {"role_id": 3, "member_user": {"username": "Anna+Ops@example.org"}}
    assert world.api("project_admin", "POST", "projects/team/members", body).status_code == 201
    found = world.api("guest", "GET", "projects/team/members?entityname=%2Bops@").json()
    assert [row["entity_name"] for row in found] == ["Anna+Ops@example.org"]
    assert world.api("guest", "GET", "projects/team/members?entityname=%25").json() == []
    part = {"role_id": 3, "member_user": {"username": "outsid"}}
    assert world.api("project_admin", "POST", "projects/team/members", part).status_code == 404


def test_an_account_made_again_is_no_member(world: World) -> None:
    """An account that was deleted and made again is somebody else."""
    assert world.api("sysadmin", "DELETE", f"users/{world.users['guest'].pk}").status_code == 200
    new = {"username": "guest", "realname": "G", "password": PASSWORD}
    assert world.api("sysadmin", "POST", "users", new).status_code == 201
    assert world.api("guest", "GET", "projects/team").status_code == 403
