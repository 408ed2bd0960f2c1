"""Where tags pointed, and undoing that."""

from typing import Any

import pytest

from harbor_core.models import AuditLog, Event
from projects.models import Artifact, ImmutableRule, Project, Tag, TagEvent, TrashedArtifact
from projects.services import quota
from tests.cast import World, configure, push_image
from tests.support.manifests import push_index

APP = "projects/team/repositories/app"


def push(world: World, tag: str) -> str:
    return push_image(world.actor("developer"), "team/app", tag)


def history(world: World, tag: str = "1.0", persona: str = "guest", query: str = "") -> list[dict[str, Any]]:
    answer = world.api(persona, "GET", f"{APP}/tags/{tag}/history?{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def restore(world: World, tag: str = "1.0", persona: str = "developer", **body: Any) -> Any:
    return world.api(persona, "POST", f"{APP}/tags/{tag}/restore", body)


def points_to(tag: str) -> str:
    return Tag.objects.get(name=tag).artifact.digest


def test_history(world: World) -> None:
    first = world.artifact.digest
    second = push(world, "1.0")
    world.api("maintainer", "DELETE", f"{APP}/artifacts/1.0/tags/1.0")
    deleted, moved, created = history(world)
    assert (created["operation"], created["new_digest"], created["operator"]) == ("create", first, "developer")
    assert "old_digest" not in created
    assert (moved["operation"], moved["old_digest"], moved["new_digest"]) == ("move", first, second)
    assert (deleted["operation"], deleted["old_digest"], deleted["operator"]) == ("delete", second, "maintainer")
    assert history(world, "never") == []
    assert [row["id"] for row in history(world, query="page_size=1&page=2")] == [moved["id"]]
    assert history(world, query="q=operation=move") == [moved]


def test_who_moved_it_is_for_those_who_may_see_the_members(world: World) -> None:
    assert "operator" in history(world, persona="guest")[0]
    assert "operator" not in history(world, persona="limited_guest")[0]
    Project.objects.filter(pk=world.project.pk).update(public=True)
    assert "operator" not in history(world, persona="anonymous")[0]


def test_undo_the_last_push(world: World) -> None:
    first = world.artifact.digest
    push(world, "1.0")
    answer = restore(world)
    assert answer.status_code == 200
    assert answer.json() == {"repository_name": "team/app", "name": "1.0", "digest": first, "from_trash": False}
    assert points_to("1.0") == first
    assert [row["operation"] for row in history(world)] == ["move", "move", "create"]
    assert AuditLog.objects.get(operation="restore", resource_type="tag").resource == "team/app:1.0"
    told = Event.objects.filter(type="PUSH_ARTIFACT").latest("pk").payload
    assert (told["digest"], told["tag"]) == (first, "1.0")


def test_a_deleted_tag(world: World) -> None:
    world.api("maintainer", "DELETE", f"{APP}/artifacts/1.0/tags/1.0")
    assert restore(world).status_code == 200
    assert points_to("1.0") == world.artifact.digest
    assert Artifact.objects.get().listed


def test_by_digest_and_by_event(world: World) -> None:
    first, second, third = world.artifact.digest, push(world, "1.0"), push(world, "1.0")
    events = {row["new_digest"]: row["id"] for row in history(world)}
    assert restore(world, digest=first).json()["digest"] == first
    assert restore(world, event_id=events[third]).json()["digest"] == second  # where it was before that event
    assert restore(world, digest=second).status_code == 200  # it is there: nothing happens
    assert points_to("1.0") == second
    created = restore(world, event_id=events[first])
    assert (created.status_code, created.json()["errors"][0]["code"]) == (400, "BAD_REQUEST")
    other = push(world, "other")
    for body in ({"digest": other}, {"digest": "sha256:" + "0" * 64}, {"digest": "x"}, {"event_id": 10**12}):
        assert restore(world, **body).status_code == 404, body
    elsewhere = history(world, "other")[0]["id"]
    assert restore(world, event_id=elsewhere).status_code == 404
    assert restore(world, "never").status_code == 404
    assert points_to("1.0") == second


def test_the_artifact_is_in_the_trash(world: World) -> None:
    usage = quota.used(world.project.pk)
    world.api("maintainer", "DELETE", f"{APP}/artifacts/1.0")
    refused = restore(world)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "FORBIDDEN")
    assert TrashedArtifact.objects.exists() and not Artifact.objects.exists()
    answer = restore(world, persona="maintainer")
    assert (answer.json()["digest"], answer.json()["from_trash"]) == (world.artifact.digest, True)
    assert points_to("1.0") == world.artifact.digest
    assert not TrashedArtifact.objects.exists()
    assert quota.used(world.project.pk) == usage and quota.check_accounts(world.project.pk).right


def test_the_artifact_in_the_trash_had_lost_the_tag(world: World) -> None:
    first, second = world.artifact.digest, push(world, "1.0")
    world.api("maintainer", "DELETE", f"{APP}/artifacts/{first}")
    assert restore(world, persona="maintainer").json() == {
        "repository_name": "team/app",
        "name": "1.0",
        "digest": first,
        "from_trash": True,
    }
    assert points_to("1.0") == first
    assert set(Artifact.objects.values_list("digest", flat=True)) == {first, second}


def test_gone_for_good(world: World) -> None:
    configure(trash_retention_days=0)
    world.api("maintainer", "DELETE", f"{APP}/artifacts/1.0")
    answer = restore(world, persona="maintainer")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (412, "PRECONDITION")


def test_an_immutable_tag_is_not_moved_back(world: World) -> None:
    second = push(world, "1.0")
    every = [{"kind": "doublestar", "decoration": "matches", "pattern": "**"}]
    repositories = [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]
    ImmutableRule.objects.create(
        project=world.project, tag_selectors=every, scope_selectors={"repository": repositories}
    )
    answer = restore(world)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (412, "PRECONDITION")
    assert points_to("1.0") == second


def test_a_child_of_an_index_gets_its_tag_back(world: World) -> None:
    push_index(world.actor("developer"), "team/app", "multi", world.artifact.digest)
    world.api("maintainer", "DELETE", f"{APP}/artifacts/1.0/tags/1.0")
    assert not Artifact.objects.get(digest=world.artifact.digest).listed
    assert restore(world).status_code == 200
    assert Artifact.objects.get(digest=world.artifact.digest).listed


def test_deleted_tags(world: World) -> None:
    configure(trash_retention_days=0)
    push(world, "lost")
    world.api("maintainer", "DELETE", f"{APP}/artifacts/lost")  # nothing to restore it from
    configure(trash_retention_days=7)
    push(world, "trashed")
    world.api("maintainer", "DELETE", f"{APP}/artifacts/trashed")
    world.api("developer", "POST", f"{APP}/artifacts/1.0/tags", {"name": "extra"})
    world.api("maintainer", "DELETE", f"{APP}/artifacts/1.0/tags/extra")
    world.api("maintainer", "DELETE", f"{APP}/artifacts/1.0/tags/1.0")
    push(world, "1.0")  # deleted once, there again
    answer = world.api("guest", "GET", f"{APP}/deleted-tags")
    assert [row["name"] for row in answer.json()] == ["extra", "trashed"]
    assert answer["X-Total-Count"] == "2"
    assert {row["operation"] for row in answer.json()} == {"delete"}
    named = world.api("guest", "GET", f"{APP}/deleted-tags?q=name=~tras&page_size=1").json()
    assert [row["name"] for row in named] == ["trashed"]
    assert restore(world, "extra").status_code == 200
    assert [row["name"] for row in world.api("guest", "GET", f"{APP}/deleted-tags").json()] == ["trashed"]


def test_robots_restore_what_they_may_push(world: World) -> None:
    push(world, "1.0")
    assert restore(world, persona="robot").status_code == 200
    assert TagEvent.objects.latest("pk").operator.startswith("robot$")


@pytest.mark.parametrize("body", [{"digest": 5}, {"event_id": "x"}, {"event_id": -1}, {"digest": "x" * 100}])
def test_what_is_no_request(world: World, body: dict[str, Any]) -> None:
    assert restore(world, **body).status_code == 422
