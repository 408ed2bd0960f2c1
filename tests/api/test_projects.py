"""``/projects``, members, metadata, statistics and search."""

import pytest

from auth.models import Robot, RobotPermission
from harbor_core.lib import storage
from harbor_core.models import AuditLog
from projects.models import (
    CVEAllowlist,
    ImmutableRule,
    Label,
    Project,
    Quota,
    QuotaDelta,
    TrashedArtifact,
    WebhookPolicy,
)
from replication.models import Registry
from tests.cast import PASSWORD, World, configure, make_project, make_user, push_image, put_blob


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
        ({"project_name": "ok", "metadata": {"proxy_speed_kb": "-2"}}, 400),
        ({"project_name": "ok", "metadata": {"max_upstream_conn": "0"}}, 400),
        ({"project_name": "ok", "storage_limit": 0}, 201),
        ({"project_name": "ok", "storage_limit": -2}, 400),
        ({"project_name": "ok", "registry_id": 7}, 400),
        ({"project_name": "ok", "registry_id": 0}, 400),
        ({"project_name": "ok", "registry_id": -1}, 400),
        ({"project_name": "ok", "registry_id": "1"}, 422),
        ({"project_name": "ok", "cve_allowlist": {"items": [{"cve_id": "two words"}]}}, 400),
        ({"project_name": "ok", "cve_allowlist": {"items": [{"cve_id": "A-1"}, {"cve_id": "A-1"}]}}, 400),
        ({"project_name": "ok", "cve_allowlist": {"items": "A-1"}}, 422),
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
    assert names("sysadmin") == names("system_robot") == ["closed", "library", "open", "team"]
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
    assert seen == dict.fromkeys(everything, 0) | {"public_project_count": 2}
    assert world.api("guest", "GET", "statistics").json()["private_repo_count"] == 1


def test_search_finds_what_the_caller_may_see(world: World) -> None:
    found = world.api("guest", "GET", "search?q=TEAM").json()
    assert [row["name"] for row in found["project"]] == ["team"]
    assert [(row["repository_name"], row["artifact_count"]) for row in found["repository"]] == [("team/app", 1)]
    assert world.api("outsider", "GET", "search?q=team").json() == {"project": [], "repository": []}
    assert world.api("anonymous", "GET", "search?q=lib").json()["project"][0]["name"] == "library"
    assert world.api("anonymous", "GET", "search").status_code == 422


# ---------------------------------------------------------------------- allowlists
def test_an_allowlist_comes_with_the_project(world: World) -> None:
    body = {"project_name": "mine", "cve_allowlist": {"items": [{"cve_id": "CVE-2026-1"}], "expires_at": 1800000000}}
    made = world.api("outsider", "POST", "projects", body)
    shown = world.api("outsider", "GET", made["Location"]).json()["cve_allowlist"]
    row = CVEAllowlist.objects.get(project__name="mine")
    assert (shown["id"], shown["project_id"]) == (row.pk, row.project_id)
    assert (shown["items"], shown["expires_at"]) == ([{"cve_id": "CVE-2026-1"}], 1800000000)
    listed = world.api("outsider", "GET", "projects?name=mine").json()[0]
    assert listed["cve_allowlist"] == shown
    empty = world.api("guest", "GET", "projects/team").json()["cve_allowlist"]
    assert (empty["items"], "id" in empty, "expires_at" in empty) == ([], False, False)


def test_an_allowlist_is_replaced_whole(world: World) -> None:
    def put(allowlist: dict) -> int:
        return world.api("project_admin", "PUT", "projects/team", {"cve_allowlist": allowlist}).status_code

    assert put({"items": [{"cve_id": "CVE-1"}, {"cve_id": "CVE-2"}], "expires_at": 1800000000}) == 200
    assert put({"items": [{"cve_id": "CVE-3"}], "project_id": world.project.pk}) == 200
    row = CVEAllowlist.objects.get(project=world.project)
    assert (row.items, row.expires_at) == (["CVE-3"], None)
    assert put({"items": [], "project_id": world.project.pk + 1}) == 400
    assert put({"items": [{"cve_id": ""}]}) == 400
    assert world.api("project_admin", "PUT", "projects/team", {"metadata": {"auto_scan": "true"}}).status_code == 200
    row.refresh_from_db()
    assert row.items == ["CVE-3"]


def test_a_change_that_fails_changes_nothing(world: World) -> None:
    body = {"metadata": {"public": "true"}, "cve_allowlist": {"items": [{"cve_id": "two words"}]}}
    assert world.api("project_admin", "PUT", "projects/team", body).status_code == 400
    world.project.refresh_from_db()
    assert not world.project.public


# ---------------------------------------------------------------------- proxy projects
@pytest.fixture
def upstream(world: World) -> Registry:
    return Registry.objects.create(
        name="hub", type="docker-registry", url="https://hub.example", access_key="a", access_secret="sealed"
    )


def test_proxy_project(world: World, upstream: Registry) -> None:
    values = {"proxy_speed_kb": "-1", "max_upstream_conn": "8", "enable_content_trust": "true", "public": "true"}
    body = {"project_name": "cache", "registry_id": upstream.pk, "metadata": values}
    assert world.api("outsider", "POST", "projects", body).status_code == 403
    made = world.api("sysadmin", "POST", "projects", body)
    assert made.status_code == 201
    seen = world.api("sysadmin", "GET", made["Location"]).json()
    assert seen["registry_id"] == upstream.pk
    assert int(seen["metadata"].pop("retention_id")) > 0  # what nobody pulls for a week goes
    assert seen["metadata"] == {"public": "true", "proxy_speed_kb": "-1", "max_upstream_conn": "8"}
    summary = world.api("sysadmin", "GET", f"{made['Location']}/summary").json()
    assert (summary["registry"]["name"], summary["registry"]["type"]) == ("hub", "docker-registry")
    assert "credential" not in summary["registry"]
    plain = world.api("sysadmin", "GET", "projects/team/summary").json()
    assert "registry" not in plain


def test_only_some_registries_can_be_proxied(world: World, upstream: Registry, settings) -> None:
    settings.PROXY_REGISTRY_TYPES = ["harbor"]
    refused = world.api("sysadmin", "POST", "projects", {"project_name": "cache", "registry_id": upstream.pk})
    assert refused.status_code == 400
    assert "docker-registry" in refused.json()["errors"][0]["message"]
    assert not Project.objects.filter(name="cache").exists()


def test_a_proxy_project_stays_one(world: World, upstream: Registry) -> None:
    world.api("sysadmin", "POST", "projects", {"project_name": "cache", "registry_id": upstream.pk})
    body = {"registry_id": 0, "metadata": {"proxy_speed_kb": "100", "enable_content_trust_cosign": "true"}}
    assert world.api("sysadmin", "PUT", "projects/cache", body).status_code == 200
    project = Project.objects.get(name="cache")
    assert (project.registry_id, project.metadata.pop("retention_id").isdigit(), project.metadata) == (
        upstream.pk,
        True,
        {"proxy_speed_kb": "100"},
    )


def test_proxy_settings_mean_nothing_elsewhere(world: World) -> None:
    body = {"metadata": {"proxy_speed_kb": "100", "max_upstream_conn": "3", "auto_scan": "true"}}
    assert world.api("project_admin", "PUT", "projects/team", body).status_code == 200
    world.project.refresh_from_db()
    assert world.project.metadata == {"auto_scan": "true"}


# ---------------------------------------------------------------------- who may create what
def test_robots_create_projects_of_the_administrator(world: World) -> None:
    made = world.api("system_robot_all", "POST", "projects", {"project_name": "mine", "storage_limit": 4096})
    seen = world.api("sysadmin", "GET", made["Location"]).json()
    assert (seen["owner_name"], Quota.objects.get(project_id=seen["project_id"]).hard) == ("admin", 4096)


def test_no_quota_no_limit(world: World) -> None:
    configure(quota_per_project_enable=False)
    world.api("sysadmin", "POST", "projects", {"project_name": "a", "storage_limit": 5000})
    assert Quota.objects.get(project__name="a").hard == -1


def test_restriction_and_proxies_do_not_stop_administrators(world: World, upstream: Registry) -> None:
    configure(project_creation_restriction="adminonly")
    body = {"project_name": "cache", "registry_id": upstream.pk}
    assert world.api("project_admin", "POST", "projects", body).status_code == 403
    assert world.api("system_robot_all", "POST", "projects", body).status_code == 201


# ---------------------------------------------------------------------- deletion
def test_what_goes_with_a_project(world: World) -> None:
    project = world.project
    world.api("sysadmin", "DELETE", "projects/team/repositories/app")
    Label.objects.create(name="mine", project=project)
    Label.objects.create(name="everywhere")
    ImmutableRule.objects.create(project=project)
    WebhookPolicy.objects.create(project=project, name="w", creator="admin")
    CVEAllowlist.objects.create(project=project, items=["CVE-1"])
    assert world.api("sysadmin", "DELETE", "projects/team").status_code == 200
    models = (Label, ImmutableRule, WebhookPolicy, CVEAllowlist, Robot, RobotPermission, Quota, TrashedArtifact)
    for model in models:
        assert not model.objects.filter(project=project).exists(), model
    assert Label.objects.filter(name="everywhere").exists()
    assert Robot.objects.filter(project=None).count() == 2
    login = world.api("robot", "GET", "projects/team/repositories")
    assert login.status_code == 401


def test_a_name_comes_again_and_again(world: World) -> None:
    for _ in range(3):
        made = world.api("outsider", "POST", "projects", {"project_name": "again"})
        assert made.status_code == 201
        assert world.api("outsider", "DELETE", made["Location"]).status_code == 200
    assert Project.objects.filter(name__startswith="again#").count() == 3


def test_what_arrives_after_the_deletion_is_not_the_heirs(world: World) -> None:
    """The storage registry may finish a commit that was allowed before the project went: its link must not be there
    for the next project of the name."""
    world.api("outsider", "POST", "projects", {"project_name": "again"})
    world.api("outsider", "DELETE", "projects/again")
    late = put_blob("again/app", b"somebody else's layer")
    world.api("guest", "POST", "projects", {"project_name": "again"})
    assert storage.linked_sizes("again/app", [late["digest"]]) == {late["digest"]: None}


# ---------------------------------------------------------------------- scanners
def test_no_scanner_yet(world: World) -> None:
    assert world.api("guest", "GET", "projects/team/scanner").json() == {}
    candidates = world.api("project_admin", "GET", "projects/team/scanner/candidates")
    assert (candidates.json(), candidates["X-Total-Count"]) == ([], "0")
    chosen = world.api("project_admin", "PUT", "projects/team/scanner", {"uuid": "one"})
    assert chosen.status_code == 404
    assert "one" in chosen.json()["errors"][0]["message"]
    assert world.api("project_admin", "PUT", "projects/team/scanner", {}).status_code == 422


# ---------------------------------------------------------------------- artifacts of a project
def test_artifacts_of_a_project(world: World) -> None:
    actor = world.actor("developer")
    newest = push_image(actor, "team/app", "2.0")
    other = push_image(actor, "team/other", "1.0")
    listed = world.api("guest", "GET", "projects/team/artifacts")
    assert (len(listed.json()), listed["X-Total-Count"]) == (3, "3")
    latest = world.api("guest", "GET", "projects/team/artifacts?latest_in_repository=true&q=artifact_type%3D~image")
    assert {row["digest"] for row in latest.json()} == {newest, other}
    assert latest["X-Total-Count"] == "2"
    without = world.api("guest", "GET", "projects/team/artifacts?with_tag=false").json()
    assert not [row for row in without if "tags" in row]
    assert world.api("anonymous", "GET", "projects/team/artifacts").status_code == 401


def test_the_latest_of_a_kind(world: World) -> None:
    """Of each repository the last artifact that matches, also where something else was pushed after it."""
    actor = world.actor("developer")
    image_digest = push_image(actor, "team/mixed", "image")
    push_image(actor, "team/mixed", "chart", artifactType="application/vnd.example.chart")
    query = "latest_in_repository=true&q=artifact_type%3Dapplication/vnd.oci.image.config.v1%252Bjson"
    found = world.api("guest", "GET", f"projects/team/artifacts?{query}").json()
    assert image_digest in {row["digest"] for row in found}


# ---------------------------------------------------------------------- names and texts
def test_names_at_their_limits(world: World) -> None:
    longest = "a" + "b" * 254
    made = world.api("outsider", "POST", "projects", {"project_name": longest})
    assert made.status_code == 201
    assert world.api("outsider", "GET", f"projects/{longest}").json()["name"] == longest
    for name in ("-a", "a-", "a..b", "a b", "ä", "a+b", "a%2Fb", "A", "", "a\u200bb"):
        assert world.api("outsider", "POST", "projects", {"project_name": name}).status_code == 400, name
    assert world.api("sysadmin", "GET", "projects/team%2Bx").status_code == 404
    assert world.api("sysadmin", "GET", "projects/team%252Fx").status_code == 404


def test_hostile_query_values(world: World) -> None:
    for query in ("name=%25", "name=_", "owner=%00", "public=x", "q=name%3D~%25", "name=" + "x" * 3000):
        assert world.api("sysadmin", "GET", f"projects?{query}").status_code in (200, 400, 422), query
    assert world.api("sysadmin", "GET", "projects?name=%25").json() == []
    assert world.api("sysadmin", "GET", "projects?owner=nobody").json() == []


def test_projects_of_an_owner_who_is_gone(world: World) -> None:
    founder = make_user("founder")
    world.api(f"founder:{PASSWORD}", "POST", "projects", {"project_name": "mine"})
    assert [row["name"] for row in world.api("sysadmin", "GET", "projects?owner=founder").json()] == ["mine"]
    assert world.api("sysadmin", "DELETE", f"users/{founder.pk}").status_code == 200
    make_user("founder")
    assert world.api("sysadmin", "GET", "projects?owner=founder").json() == []
    assert world.api("sysadmin", "GET", "projects/mine").json()["owner_id"] == founder.pk
    assert world.api(f"founder:{PASSWORD}", "GET", "projects/mine").status_code == 403
