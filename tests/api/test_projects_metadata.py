"""``/projects/{project}/metadatas``, and metadata in whole projects."""

import pytest

from projects.models import Member, MirrorName, Project
from projects.services import metadata
from replication.models import Registry
from tests.cast import World


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


def set_value(world: World, key: str, value: str, project: str = "team") -> int:
    """Through the whole project, as most clients do."""
    return world.api("sysadmin", "PUT", f"projects/{project}", {"metadata": {key: value}}).status_code


@pytest.mark.parametrize(
    ("key", "given", "stored"),
    [
        ("public", "True", "true"),
        ("prevent_vul", "FALSE", "false"),
        ("severity", "Critical", "critical"),
        ("severity", "none", "none"),
        ("auto_sbom_generation", "true", "true"),
        ("reuse_sys_cve_allowlist", "false", "false"),
        ("public", "1", None),
        ("public", "", None),
        ("severity", "unknown", None),
        ("severity", "", None),
        ("auto_scan", "yes", None),
    ],
)
def test_values(world: World, key: str, given: str, stored: str | None) -> None:
    before = world.api("sysadmin", "GET", "projects/team").json()["metadata"]
    assert set_value(world, key, given) == (200 if stored else 400)
    after = world.api("sysadmin", "GET", "projects/team").json()["metadata"]
    assert after == (before | {key: stored} if stored else before)


@pytest.mark.parametrize(
    ("key", "given", "stored"),
    [
        ("proxy_speed_kb", "-1", "-1"),
        ("proxy_speed_kb", "0", "0"),
        ("proxy_speed_kb", "2147483647", "2147483647"),
        ("proxy_speed_kb", "2147483648", None),
        ("proxy_speed_kb", "1.5", None),
        ("proxy_speed_kb", "٣", None),
        ("proxy_speed_kb", "1_000", None),
        ("proxy_speed_kb", "9" * 5000, None),
        ("max_upstream_conn", "1", "1"),
        ("max_upstream_conn", "-1", "-1"),
        ("max_upstream_conn", "0", None),
        ("max_upstream_conn", "-2", None),
        ("proxy_cache_local_on_not_found", "true", "true"),
        ("proxy_referrer_api", "maybe", None),
        ("proxy_cache_filter_pattern", "library/**", "library/**"),
        ("proxy_cache_filter_pattern", "x" * 1025, None),
        ("proxy_cache_filter_kind", "regex", "regex"),
        ("proxy_cache_filter_kind", "glob", None),
        ("proxy_cache_freshness", "always", "always"),
        ("proxy_cache_freshness", "3600", "3600"),
        ("proxy_cache_freshness", "0", None),
        ("proxy_cache_freshness", "-1", None),
        ("proxy_cache_offline", "true", "true"),
        ("proxy_mirror_names", " Docker.IO, mirror.example.com:8443,docker.io ", "docker.io,mirror.example.com:8443"),
        ("proxy_mirror_names", "https://mirror.example.com", None),
        ("proxy_mirror_names", "mirror_.example.com", None),
        ("proxy_mirror_names", "a" * 254, None),
        ("proxy_mirror_names", ",".join(f"m{number}" for number in range(21)), None),
        ("proxy_mirror_names", "localhost:8080", None),
        ("proxy_mirror_names", "localhost:5000", "localhost:5000"),
    ],
)
def test_values_of_proxies(world: World, key: str, given: str, stored: str | None) -> None:
    Project.objects.create(name="cache", owner=world.users["sysadmin"], registry_id=1)
    assert set_value(world, key, given, "cache") == (200 if stored else 400)
    assert Project.objects.get(name="cache").metadata == ({key: stored} if stored else {})
    path = f"projects/cache/metadatas/{key}"
    assert world.api("sysadmin", "GET", path).status_code == (200 if stored else 404)


def test_a_filter_must_be_an_expression_of_its_kind(world: World) -> None:
    Project.objects.create(name="cache", owner=world.users["sysadmin"], registry_id=1)
    assert set_value(world, "proxy_cache_filter_pattern", "[a", "cache") == 200
    assert set_value(world, "proxy_cache_filter_kind", "regex", "cache") == 400
    assert set_value(world, "proxy_cache_filter_pattern", "lib.*", "cache") == 200
    assert set_value(world, "proxy_cache_filter_kind", "regex", "cache") == 200
    assert set_value(world, "proxy_cache_filter_pattern", "(", "cache") == 400
    assert set_value(world, "proxy_cache_deny_pattern", "(", "cache") == 400


def test_keys_of_another_kind_of_project(world: World) -> None:
    """Passed over in a whole project, refused where they are all that was asked for."""
    Project.objects.create(name="cache", owner=world.users["sysadmin"], registry_id=1)
    for project, keys in (("team", metadata.PROXY_ONLY), ("cache", metadata.NOT_FOR_PROXY)):
        for key in keys:
            value = {"proxy_cache_filter_pattern": "a", "proxy_cache_filter_kind": "regex"}.get(key, "true")
            value = "5" if key in ("proxy_speed_kb", "max_upstream_conn", "proxy_cache_freshness") else value
            assert set_value(world, key, value, project) == 200
            refused = world.api("sysadmin", "POST", f"projects/{project}/metadatas/", {key: value})
            assert refused.status_code == 400 and key in refused.json()["errors"][0]["message"]
            assert world.api("sysadmin", "GET", f"projects/{project}/metadatas/{key}").status_code == 404


@pytest.mark.parametrize("key", metadata.SERVER_ONLY)
def test_what_only_the_server_sets(world: World, key: str) -> None:
    Project.objects.filter(name="team").update(metadata={key: "7", "auto_scan": "true"})
    path = f"projects/team/metadatas/{key}"
    assert world.api("sysadmin", "POST", "projects/team/metadatas/", {key: "8"}).status_code == 400
    assert world.api("sysadmin", "PUT", path, {key: "8"}).status_code == 400
    assert world.api("sysadmin", "DELETE", path).status_code == 400
    assert set_value(world, key, "8") == 400
    assert set_value(world, key, "7") == 200  # sent back as it was read
    assert Project.objects.get(name="team").metadata == {key: "7", "auto_scan": "true"}
    shown = world.api("sysadmin", "GET", "projects/team").json()["metadata"]
    assert ("projectScanner" in shown, shown.get("retention_id")) == (False, "7" if key == "retention_id" else None)


def test_nobody_lists_metadata_but_administrators_and_robots(world: World) -> None:
    base = "projects/team/metadatas/"
    for persona, status in (("project_admin", 403), ("maintainer", 403), ("sysadmin", 200), ("robot_all", 200)):
        assert world.api(persona, "GET", base).status_code == status


def test_names_of_mirrors_are_for_administrators_and_for_one_project_each(world: World) -> None:
    for name in ("cache", "other"):
        Project.objects.create(name=name, owner=world.users["project_admin"], registry_id=1)
        Member.objects.create(project=Project.objects.get(name=name), user=world.users["project_admin"], role=1)
    key = "proxy_mirror_names"
    assert set_value(world, key, "docker.io,mirror.test", "cache") == 200
    assert set_value(world, key, "docker.io", "other") == 409
    assert set(MirrorName.objects.values_list("name", "project__name")) == {
        ("docker.io", "cache"),
        ("mirror.test", "cache"),
    }
    assert "docker.io" not in str(Project.objects.get(name="other").metadata)
    whole = {"metadata": {key: "mirror.test,docker.io", "proxy_speed_kb": "5"}}
    assert world.api("project_admin", "PUT", "projects/cache", whole).status_code == 200  # sent back as it was read
    for persona, status in (("project_admin", 403), ("sysadmin", 200)):
        path = f"projects/cache/metadatas/{key}"
        assert world.api(persona, "PUT", path, {key: "mirror.test"}).status_code == status
        assert world.api(persona, "DELETE", path).status_code == status
    assert not MirrorName.objects.exists()
    assert set_value(world, key, "docker.io", "other") == 200
    assert world.api("sysadmin", "DELETE", "projects/other").status_code == 200
    assert set_value(world, key, "docker.io", "cache") == 200
    body = {"project_name": "made", "registry_id": 1, "metadata": {key: "docker.io"}}
    Registry.objects.create(pk=1, name="hub", type="docker-hub", url="https://hub.docker.com")
    assert world.api("sysadmin", "POST", "projects", body).status_code == 409
    assert not Project.objects.filter(name="made").exists()
