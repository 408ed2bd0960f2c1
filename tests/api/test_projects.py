"""``/projects``, members, metadata, statistics and search."""

import pytest

from auth.models import UserGroup
from auth.models.group import GroupMembership
from harbor_core.models import AuditLog
from projects.models import Project, Quota, QuotaDelta
from tests.cast import World, configure, make_project


def test_create(world: World) -> None:
    made = world.api(
        "outsider", "POST", "projects", {"project_name": "mine", "metadata": {"public": "TRUE", "severity": "High"}}
    )
    assert (made.status_code, made.content) == (201, b"")
    project = Project.objects.get(name="mine")
    assert made["Location"] == f"/api/v2.0/projects/{project.pk}"
    seen = world.api("outsider", "GET", made["Location"]).json()
    assert seen["metadata"] == {"public": "true", "severity": "high"}
    assert (seen["owner_name"], seen["repo_count"], seen["current_user_role_ids"]) == ("outsider", 0, [1])
    assert "deleted" not in seen and "registry_id" not in seen
    assert Quota.objects.get(project=project).hard == -1
    assert AuditLog.objects.filter(operation="create", resource_type="project", resource="mine").count() == 1


def test_location_by_name(world: World) -> None:
    made = world.api(
        "outsider", "POST", "projects", {"project_name": "mine"}, headers={"X-Resource-Name-In-Location": "true"}
    )
    assert made["Location"] == "/api/v2.0/projects/mine"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"project_name": "Upper"}, 400),
        ({"project_name": "a--b"}, 400),
        ({"project_name": "a/b"}, 400),
        ({"project_name": "ab\n"}, 400),
        ({"project_name": "x" * 256}, 422),
        ({"project_name": "ok", "metadata": {"public": "maybe"}}, 400),
        ({"project_name": "ok", "metadata": {"severity": "grave"}}, 400),
        ({"project_name": "ok", "metadata": {"retention_id": "1"}}, 400),
        ({"project_name": "ok", "metadata": {"proxy_speed_kb": "0"}}, 400),
        ({"project_name": "ok", "storage_limit": 0}, 400),
        ({"project_name": "ok", "storage_limit": -2}, 400),
        ({"project_name": "ok", "registry_id": 7}, 400),
        ({"project_name": "team"}, 409),
        ({"project_name": "ok", "unknown": 1, "metadata": {"unknown": "x"}}, 201),
    ],
)
def test_create_rules(world: World, body: dict, status: int) -> None:
    before = Project.objects.count()
    assert world.api("sysadmin", "POST", "projects", body).status_code == status
    assert Project.objects.count() == before + (status == 201)


def test_storage_limit_is_for_administrators(world: World) -> None:
    configure(storage_per_project=1000)
    for persona, name in (("sysadmin", "a"), ("outsider", "b")):
        world.api(persona, "POST", "projects", {"project_name": name, "storage_limit": 5000})
    assert Quota.objects.get(project__name="a").hard == 5000
    assert Quota.objects.get(project__name="b").hard == 1000


def test_admin_only(world: World) -> None:
    configure(project_creation_restriction="adminonly")
    assert world.api("outsider", "POST", "projects", {"project_name": "a"}).status_code == 403
    assert world.api("sysadmin", "POST", "projects", {"project_name": "a"}).status_code == 201


def test_reference_by_name_or_id(world: World) -> None:
    digits = make_project("12345", world.users["sysadmin"])
    by_id = world.api("sysadmin", "GET", f"projects/{digits.pk}")
    assert by_id.json()["name"] == "12345"
    assert world.api("sysadmin", "GET", "projects/12345").status_code == 404
    named = world.api("sysadmin", "GET", "projects/12345", headers={"X-Is-Resource-Name": "true"})
    assert named.json()["project_id"] == digits.pk
    assert world.api("sysadmin", "GET", "projects/12345/repositories").json() == []


def test_list_shows_what_the_caller_may_see(world: World) -> None:
    make_project("open", world.users["sysadmin"], public=True)
    make_project("closed", world.users["sysadmin"])

    def names(persona: str, query: str = "") -> list[str]:
        return [row["name"] for row in world.api(persona, "GET", f"projects?{query}").json()]

    assert names("anonymous") == names("outsider") == ["library", "open"]
    assert names("guest") == names("robot") == ["library", "open", "team"]
    assert names("sysadmin") == ["closed", "library", "open", "team"]
    assert names("sysadmin", "public=true") == ["library", "open"]
    assert names("sysadmin", "public=false&sort=-name") == ["team", "closed"]
    assert names("sysadmin", "name=EA") == ["team"]
    assert names("sysadmin", "owner=project_admin") == ["team"]
    assert names("sysadmin", "q=public%3Dfalse,name%3D~lose") == ["closed"]
    assert names("sysadmin", "sort=-project_id")[0] == "closed"
    detail = world.api("guest", "GET", "projects?name=team").json()[0]
    assert (detail["repo_count"], detail["current_user_role_id"]) == (1, 3)
    plain = world.api("guest", "GET", "projects?name=team&with_detail=false").json()[0]
    assert "current_user_role_id" not in plain


def test_exists(world: World) -> None:
    assert world.api("outsider", "HEAD", "projects?project_name=team").status_code == 200
    assert world.api("outsider", "HEAD", "projects?project_name=nowhere").status_code == 404
    assert world.api("outsider", "HEAD", "projects").status_code == 422


def test_update(world: World) -> None:
    changed = world.api("project_admin", "PUT", "projects/team", {"public": True, "metadata": {"auto_scan": "true"}})
    assert changed.status_code == 200
    assert world.api("anonymous", "GET", "projects/team").json()["metadata"] == {"public": "true", "auto_scan": "true"}
    world.api("project_admin", "PUT", "projects/team", {"metadata": {"public": "false"}, "project_name": "renamed"})
    assert world.api("guest", "GET", "projects/team").json()["metadata"] == {"public": "false", "auto_scan": "true"}
    assert world.api("anonymous", "GET", "projects/team").status_code == 401


def test_delete(world: World) -> None:
    assert world.api("sysadmin", "GET", "projects/team/_deletable").json()["message"]
    assert world.api("sysadmin", "DELETE", "projects/team").status_code == 412
    assert world.api("sysadmin", "DELETE", "projects/team/repositories/app").status_code == 200
    assert world.api("sysadmin", "GET", "projects/team/_deletable").json() == {"deletable": True}
    assert world.api("sysadmin", "DELETE", "projects/team").status_code == 200
    assert world.api("sysadmin", "GET", "projects/team").status_code == 404
    assert world.api("sysadmin", "GET", f"projects/{world.project.pk}").status_code == 404
    assert world.api("sysadmin", "HEAD", "projects?project_name=team").status_code == 404
    row = Project.objects.get(pk=world.project.pk)
    assert (row.deleted, row.name) == (True, f"team#{row.pk}")
    assert not QuotaDelta.objects.filter(project=row).exists()
    again = world.api("outsider", "POST", "projects", {"project_name": "team"})
    assert again.status_code == 201
    assert world.api("guest", "GET", "projects/team").status_code == 403


def test_summary(world: World) -> None:
    seen = world.api("guest", "GET", "projects/team/summary").json()
    assert {key: seen[key] for key in seen if key != "quota"} == {
        "repo_count": 1,
        "project_admin_count": 1,
        "maintainer_count": 1,
        "developer_count": 1,
        "guest_count": 1,
        "limited_guest_count": 1,
    }
    assert seen["quota"]["hard"] == {"storage": -1}
    assert seen["quota"]["used"]["storage"] == world.artifact.size
    assert "guest_count" not in world.api("limited_guest", "GET", "projects/team/summary").json()
    world.api("sysadmin", "PUT", "projects/team", {"public": True})
    assert world.api("anonymous", "GET", "projects/team/summary").json() == {"repo_count": 1}


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


def test_metadata(world: World) -> None:
    base = "projects/team/metadatas/"
    assert world.api("project_admin", "POST", base, {"auto_scan": "true"}).status_code == 200
    assert world.api("project_admin", "POST", base, {"auto_scan": "true"}).status_code == 409
    assert world.api("project_admin", "POST", base, {"public": "true"}).status_code == 409
    assert world.api("project_admin", "POST", base, {"a": "1", "b": "2"}).status_code == 400
    assert world.api("project_admin", "POST", base, {"unknown": "1"}).status_code == 400
    assert world.api("project_admin", "POST", base, {"projectScanner": "x"}).status_code == 400
    assert world.api("project_admin", "POST", base, {"severity": 1}).status_code == 422
    assert world.api("sysadmin", "GET", base).json() == {"public": "false", "auto_scan": "true"}
    assert world.api("maintainer", "GET", f"{base}auto_scan").json() == {"auto_scan": "true"}
    assert world.api("maintainer", "GET", f"{base}severity").status_code == 404
    assert world.api("project_admin", "PUT", f"{base}auto_scan", {"auto_scan": "false"}).status_code == 200
    assert world.api("project_admin", "PUT", f"{base}auto_scan", {"severity": "low"}).status_code == 400
    assert world.api("project_admin", "PUT", f"{base}severity", {"severity": "low"}).status_code == 404
    assert world.api("project_admin", "DELETE", f"{base}auto_scan").status_code == 200
    assert world.api("project_admin", "DELETE", f"{base}auto_scan").status_code == 404
    assert world.api("project_admin", "PUT", f"{base}public", {"public": "true"}).status_code == 200
    assert world.api("anonymous", "GET", "projects/team").status_code == 200
    assert world.api("project_admin", "DELETE", f"{base}public").status_code == 200
    assert world.api("anonymous", "GET", "projects/team").status_code == 401


def test_statistics(world: World) -> None:
    make_project("open", world.users["sysadmin"], public=True)
    everything = world.api("sysadmin", "GET", "statistics").json()
    assert everything == {
        "private_project_count": 1,
        "private_repo_count": 1,
        "public_project_count": 2,
        "public_repo_count": 0,
        "total_project_count": 3,
        "total_repo_count": 1,
        "total_storage_consumption": world.artifact.size,
    }
    seen = world.api("outsider", "GET", "statistics").json()
    assert (seen["private_project_count"], seen["total_repo_count"], seen["total_storage_consumption"]) == (0, 0, 0)


def test_search_finds_what_the_caller_may_see(world: World) -> None:
    found = world.api("guest", "GET", "search?q=TEAM").json()
    assert [row["name"] for row in found["project"]] == ["team"]
    assert [(row["repository_name"], row["artifact_count"]) for row in found["repository"]] == [("team/app", 1)]
    assert world.api("outsider", "GET", "search?q=team").json() == {"project": [], "repository": []}
    assert world.api("anonymous", "GET", "search?q=lib").json()["project"][0]["name"] == "library"
    assert world.api("anonymous", "GET", "search").status_code == 422
