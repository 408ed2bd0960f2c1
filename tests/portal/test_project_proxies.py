"""Pages of proxy cache projects."""

import html
import re

from django.test import Client
from django.utils import timezone

from auth.rbac import Role
from projects.models import MirrorName, Project, Tag
from replication.models import Registry, UpstreamTag
from tests.portal import content
from tests.portal.conftest import World


def test_a_proxy_is_made(world: World, admin: Client) -> None:
    registry = Registry.objects.create(name="hub", type="docker-hub", url="https://hub.docker.com")
    admin.post("/harbor/new-project", {"name": "mirror", "access": "private", "registry": registry.pk})
    project = Project.objects.get(name="mirror")
    assert project.registry_id == registry.pk
    page = admin.get(f"/harbor/projects/{project.pk}/summary").content
    assert b"https://hub.docker.com" in page and b"Healthy" in page
    settings = admin.get(f"/harbor/projects/{project.pk}/configuration").content
    assert b"proxy_speed_kb" in settings and b"enable_content_trust" not in settings
    saved = {"proxy_speed_kb": "512", "proxy_cache_filter_kind": "regex", "proxy_cache_filter_pattern": "("}
    assert admin.post(f"/harbor/projects/{project.pk}/configuration", saved).status_code == 400
    saved["proxy_cache_filter_pattern"] = "^library/"
    assert admin.post(f"/harbor/projects/{project.pk}/configuration", saved).status_code == 302
    assert Project.objects.get(name="mirror").metadata["proxy_speed_kb"] == "512"


def test_how_fresh_a_proxy_is(world: World, admin: Client) -> None:
    registry = Registry.objects.create(name="hub", type="docker-hub", url="https://hub.docker.com")
    admin.post("/harbor/new-project", {"name": "mirror", "access": "private", "registry": registry.pk})
    project = Project.objects.get(name="mirror")
    path = f"/harbor/projects/{project.pk}/configuration"
    page = admin.get(path).content.decode()
    assert re.search(r'name="proxy_cache_local_on_not_found"[^>]* checked', page)
    assert re.search(r'<option value="always" selected', page)
    saved = {"proxy_cache_freshness": "3600", "proxy_cache_offline": "on", "proxy_cache_deny_pattern": "secret/**"}
    assert admin.post(path, saved).status_code == 302
    stored = Project.objects.get(name="mirror").metadata
    assert {key: stored[key] for key in (*saved, "proxy_cache_local_on_not_found")} == saved | {
        "proxy_cache_offline": "true",
        "proxy_cache_local_on_not_found": "false",
    }
    project.metadata = stored | {"proxy_cache_freshness": "90"}
    project.save()
    assert re.search(r'<option value="90" selected', admin.get(path).content.decode())


def test_how_a_proxy_is_used_as_a_mirror(world: World, admin: Client, developer: Client) -> None:
    registry = Registry.objects.create(name="hub", type="docker-hub", url="https://hub.docker.com")
    admin.post("/harbor/new-project", {"name": "cache", "access": "private", "registry": registry.pk})
    project = Project.objects.get(name="cache")
    content.member(project, world.developer, Role.PROJECT_ADMIN)
    base = f"/harbor/projects/{project.pk}"
    page = html.unescape(admin.get(f"{base}/repositories").content.decode())
    assert '[host."http://localhost:8080/v2/cache"]' in page and "override_path = true" in page
    assert 'location = "localhost:8080/cache"' in page and "registry-mirrors" not in page
    assert "The project is private" in page and "How to push" not in page
    names = {"proxy_mirror_names": "docker.io, mirror.example.com"}
    assert developer.post(f"{base}/configuration", names).status_code == 302  # the field is not theirs
    assert "proxy_mirror_names" not in {
        key for key, value in Project.objects.get(pk=project.pk).metadata.items() if value
    }
    assert admin.post(f"{base}/configuration", {"proxy_mirror_names": "localhost"}).status_code == 400
    assert admin.post(f"{base}/configuration", names | {"public": "on"}).status_code == 302
    page = html.unescape(admin.get(f"{base}/repositories").content.decode())
    assert '[host."http://localhost:8080"]' in page and "override_path" not in page
    assert '"http://mirror.example.com:8080"' in page and "The project is private" not in page
    assert developer.post(f"{base}/configuration", {}).status_code == 302
    assert Project.objects.get(pk=project.pk).metadata["proxy_mirror_names"] == "docker.io,mirror.example.com"
    assert admin.post(f"{base}/configuration", {"proxy_mirror_names": ""}).status_code == 302
    assert not MirrorName.objects.exists()


def test_tags_that_upstream_does_not_confirm_are_marked(world: World, admin: Client) -> None:
    world.library.registry_id = Registry.objects.create(name="hub", type="docker-hub", url="https://hub.docker.com").pk
    world.library.save()
    tag = Tag.objects.filter(repository__name="library/multi/arch").first()
    assert tag is not None
    row = UpstreamTag.objects.create(
        project=world.library,
        repository_name="library/multi/arch",
        name=tag.name,
        digest=tag.artifact.digest,
        stale_since=timezone.now(),
        reason="upstream failed: <503>",
    )
    url = f"/harbor/projects/{world.library.pk}/repositories/multi/arch"
    page = admin.get(url).content.decode()
    assert "Not up to date" in page and "upstream failed: &lt;503&gt;" in page
    one = f"{url}/artifacts/{tag.artifact.digest}"
    pages = (url, f"{url}?view=artifacts", one)
    assert all("Not up to date" in admin.get(page).content.decode() for page in pages)
    assert admin.get(one).content.decode().count("upstream failed: &lt;503&gt;") == 2  # of the artifact, and of the tag
    UpstreamTag.objects.filter(pk=row.pk).update(gone_since=timezone.now())
    for page in pages:
        shown = admin.get(page).content.decode()
        assert "Deleted upstream" in shown and "Not up to date" not in shown
    UpstreamTag.objects.filter(pk=row.pk).update(gone_since=None, stale_since=None)
    assert not any("Deleted upstream" in admin.get(page).content.decode() for page in pages)
