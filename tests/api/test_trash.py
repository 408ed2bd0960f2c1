"""Deleted artifacts lie in the trash and come back from there."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from harbor_core.lib import media_types as mt
from harbor_core.lib import storage
from harbor_core.models import AuditLog, Event
from projects import access
from projects.models import (
    Accessory,
    Artifact,
    ArtifactLabel,
    ArtifactReference,
    Blob,
    ImmutableRule,
    Label,
    Repository,
    RepositoryBlob,
    Tag,
    TagEvent,
    TrashedArtifact,
    TrashedBlob,
)
from projects.services import artifacts as artifact_service
from projects.services import blobs, quota
from projects.services.push import manifest_push
from projects.services.verify import verify
from tests.cast import World, image, push_image, push_manifest
from tests.support.manifests import push_index, push_signature

TRASH = "projects/team/trash"
APP = "projects/team/repositories/app"


def listed(world: World, query: str = "", persona: str = "maintainer") -> list[dict[str, Any]]:
    answer = world.api(persona, "GET", f"{TRASH}?{query}")
    assert answer.status_code == 200, answer.content
    assert answer["X-Total-Count"] == str(len(answer.json()))
    return answer.json()


def delete(world: World, reference: str = "1.0", repository: str = "app") -> None:
    answer = world.api("maintainer", "DELETE", f"projects/team/repositories/{repository}/artifacts/{reference}")
    assert answer.status_code == 200, answer.content


def restore(world: World, row: dict[str, Any], persona: str = "maintainer") -> Any:
    return world.api(persona, "POST", f"{TRASH}/{row['id']}/restore")


def push(world: World, tag: str = "", repository: str = "team/app", **options: Any) -> str:
    return push_image(world.actor("developer"), repository, tag, **options)


def push_bytes(world: World, content: bytes, reference: str) -> str:
    found = access.project_access(world.actor("developer"), "team")
    assert found is not None
    return manifest_push(world.actor("developer"), found, "team/app", reference, content, mt.OCI_MANIFEST).digest


def violations() -> list[str]:
    return [f"{found.subject}: {found.message}" for found in verify(deep=True) if found.violation]


def accounts_are_right(world: World) -> bool:
    return quota.check_accounts(world.project.pk).right


def test_a_deleted_artifact_lies_in_the_trash(world: World) -> None:
    Artifact.objects.filter(pk=world.artifact.pk).update(push_time=timezone.now() - timedelta(days=3))
    world.artifact.refresh_from_db()
    delete(world)
    [row] = listed(world)
    assert row["repository_name"] == "team/app"
    assert row["digest"] == world.artifact.digest
    assert (row["tags"], row["companions"], row["operator"]) == (["1.0"], 0, "maintainer")
    assert (row["type"], row["size"]) == ("IMAGE", world.artifact.size)
    kept = TrashedArtifact.objects.get()
    assert kept.push_time == world.artifact.push_time
    assert timedelta(days=6.9) < kept.expires_at - timezone.now() < timedelta(days=7)
    # Its blobs are held, and no longer count.
    assert TrashedBlob.objects.filter(trashed=kept).count() == 3
    assert quota.used(world.project.pk) == 0
    assert accounts_are_right(world) and not violations()


def test_restore(world: World) -> None:
    before = Artifact.objects.get()
    label = Label.objects.create(name="good", project=world.project)
    ArtifactLabel.objects.create(artifact=before, label=label)
    usage = quota.used(world.project.pk)
    delete(world)
    [row] = listed(world)
    answer = restore(world, row)
    assert answer.status_code == 200
    assert answer.json() == {
        "repository_name": "team/app",
        "digest": before.digest,
        "tags": ["1.0"],
        "taken_tags": [],
        "companions": [],
    }
    after = Artifact.objects.get()
    same = [field.name for field in Artifact._meta.fields if field.name != "id"]
    assert {name: getattr(after, name) for name in same} == {name: getattr(before, name) for name in same}
    assert Tag.objects.get().artifact == after
    assert ArtifactLabel.objects.get().artifact == after
    assert listed(world) == [] and not TrashedBlob.objects.exists()
    assert quota.used(world.project.pk) == usage
    assert accounts_are_right(world) and not violations()
    operations = list(TagEvent.objects.order_by("pk").values_list("operation", flat=True))
    assert operations == ["create", "delete", "create"]
    assert AuditLog.objects.get(operation="restore").resource == f"team/app@{before.digest}"
    pushed = Event.objects.filter(type="PUSH_ARTIFACT").latest("pk").payload
    assert (pushed["digest"], pushed["tag"]) == (before.digest, "1.0")
    assert restore(world, row).status_code == 404


def test_tags_that_were_taken_stay_where_they_are(world: World) -> None:
    world.api("developer", "POST", f"{APP}/artifacts/1.0/tags", {"name": "latest"})
    delete(world)
    other = push(world, "1.0")
    answer = restore(world, listed(world)[0]).json()
    assert (answer["tags"], answer["taken_tags"]) == (["latest"], ["1.0"])
    assert Tag.objects.get(name="1.0").artifact.digest == other
    assert Tag.objects.get(name="latest").artifact.digest == world.artifact.digest


def test_an_index_comes_back_with_its_children_and_signatures(world: World) -> None:
    child, tagged = push(world), push(world, "arm")
    index = push_index(world.actor("developer"), "team/app", "multi", child, tagged)
    signature = push_signature(world.actor("developer"), "team/app", index)
    delete(world, "multi")
    assert set(Artifact.objects.values_list("digest", flat=True)) == {world.artifact.digest, tagged}
    [row] = listed(world)
    assert (row["digest"], row["companions"]) == (index, 2)
    assert set(restore(world, row).json()["companions"]) == {child, signature}
    parent = Artifact.objects.get(digest=index)
    assert set(ArtifactReference.objects.filter(parent=parent).values_list("child__digest", flat=True)) == {
        child,
        tagged,
    }
    assert Accessory.objects.get().subject == parent
    flags = dict(Artifact.objects.values_list("digest", "listed"))
    assert (flags[index], flags[tagged], flags[child], flags[signature]) == (True, True, False, False)
    assert accounts_are_right(world) and not violations()


def test_a_child_that_was_deleted_on_its_own_comes_back_with_the_index(world: World) -> None:
    tagged = push(world, "arm")
    index = push_index(world.actor("developer"), "team/app", "multi", tagged)
    delete(world, "multi")
    delete(world, "arm")
    row = next(row for row in listed(world) if row["digest"] == index)
    answer = restore(world, row).json()
    assert (answer["companions"], sorted(answer["tags"])) == ([tagged], ["arm", "multi"])
    assert listed(world) == []
    assert not violations()


def test_an_index_whose_child_is_gone_for_good_stays_in_the_trash(world: World) -> None:
    tagged = push(world, "arm")
    index = push_index(world.actor("developer"), "team/app", "multi", tagged)
    delete(world, "multi")
    delete(world, "arm")
    rows = {row["digest"]: row for row in listed(world)}
    assert world.api("project_admin", "DELETE", f"{TRASH}/{rows[tagged]['id']}").status_code == 200
    answer = restore(world, rows[index])
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (412, "PRECONDITION")
    assert tagged in answer.json()["errors"][0]["message"]
    assert [row["digest"] for row in listed(world)] == [index]
    assert not violations()


def test_cosign_signatures_by_tag_come_back(world: World) -> None:
    signature = image("team/app")
    signature["layers"][0]["mediaType"] = "application/vnd.dev.cosign.simplesigning.v1+json"
    tag = f"{world.artifact.digest.replace(':', '-')}.sig"
    push_manifest(world.actor("developer"), "team/app", tag, signature)
    assert Accessory.objects.get().type == "signature.cosign"
    delete(world)
    assert not Artifact.objects.exists()
    [row] = listed(world)
    assert sorted(restore(world, row).json()["tags"]) == ["1.0", tag]
    accessory = Accessory.objects.select_related("subject").get()
    assert (accessory.type, accessory.subject.digest) == ("signature.cosign", world.artifact.digest)


def test_a_deleted_repository_comes_back(world: World) -> None:
    """Its tree in storage was removed with it: links and manifests are there again, and only those of the restored."""
    lost = push(world, "2.0")
    assert world.api("maintainer", "DELETE", APP).status_code == 200
    assert not Repository.objects.exists() and not RepositoryBlob.objects.exists()
    tree = f"{storage.ROOT}/repositories/team/app"
    assert not [path for path, _ in storage.backend().walk(tree)]
    assert {row["digest"] for row in listed(world)} == {lost, world.artifact.digest}
    row = next(row for row in listed(world) if row["tags"] == ["1.0"])
    assert restore(world, row).status_code == 200
    digests = set(
        Blob.objects.filter(artifacts__artifact__digest=world.artifact.digest).values_list("digest", flat=True)
    )
    assert {path.split("/")[-2] for path, _ in storage.backend().walk(tree)} == {
        digest.removeprefix("sha256:") for digest in digests
    }
    assert blobs.find("team/app", lost) is None
    assert accounts_are_right(world) and not violations()
    created = AuditLog.objects.filter(operation="create", resource_type="repository")
    assert created.count() == 2


def test_a_deleted_repository_keeps_what_belongs_together(world: World) -> None:
    child, tagged = push(world), push(world, "arm")
    index = push_index(world.actor("developer"), "team/app", "multi", child, tagged)
    signature = push_signature(world.actor("developer"), "team/app", index)
    world.api("maintainer", "DELETE", APP)
    rows = {row["digest"]: row for row in listed(world)}
    assert rows.keys() == {world.artifact.digest, index, tagged}
    assert rows[index]["companions"] == 2
    # The index needs the tagged child, which comes along.
    assert set(restore(world, rows[index]).json()["companions"]) == {child, tagged, signature}
    assert not violations()


def test_nobody_else_can_read_the_bytes_of_a_deleted_repository(world: World) -> None:
    digest = next(
        iter(Blob.objects.filter(artifacts__artifact=world.artifact).exclude(digest=world.artifact.digest))
    ).digest
    world.api("maintainer", "DELETE", APP)
    push(world, "other")  # the same name, other content
    assert storage.linked_sizes("team/app", [digest]) == {digest: None}
    assert not blobs.touch("team/app", digest)


def test_what_was_pushed_again_gets_its_tags_back(world: World) -> None:
    manifest = bytes(Artifact.objects.get().manifest)
    delete(world)
    again = push_bytes(world, manifest, "fresh")
    answer = restore(world, listed(world)[0]).json()
    assert (answer["digest"], answer["tags"]) == (again, ["1.0"])
    assert set(Tag.objects.values_list("name", flat=True)) == {"fresh", "1.0"}
    assert Artifact.objects.count() == 1
    assert accounts_are_right(world)


def test_deleted_pushed_and_deleted_again_is_in_the_trash_once(world: World) -> None:
    manifest = bytes(Artifact.objects.get().manifest)
    signature = push_signature(world.actor("developer"), "team/app", world.artifact.digest)
    delete(world)
    push_bytes(world, manifest, "fresh")
    delete(world, "fresh")
    [row] = listed(world)
    assert (row["tags"], row["companions"]) == (["fresh"], 1)
    assert restore(world, row).json()["companions"] == [signature]
    assert not violations()


def test_no_room(world: World) -> None:
    usage = quota.used(world.project.pk)
    delete(world)
    world.project.quota.refresh_from_db()
    quota.set_limit(world.actor("sysadmin"), world.project.quota.pk, usage - 1)
    row = listed(world)[0]
    answer = restore(world, row)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "DENIED")
    assert "Quota exceeded when processing the request of adding" in answer.json()["errors"][0]["message"]
    assert Event.objects.filter(type="QUOTA_EXCEED").count() == 1
    assert not Artifact.objects.exists() and listed(world) == [row]
    quota.set_limit(world.actor("sysadmin"), world.project.quota.pk, usage)
    assert restore(world, row).status_code == 200
    assert quota.used(world.project.pk) == usage and accounts_are_right(world)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=tags=1.0", ["1.0"]),
        ("q=tags=1", []),
        ("q=tags=~RC", ["2.0-rc"]),
        ("q=tags=nil", [""]),
        ("q=tags=*&sort=size,id", ["1.0", "2.0-rc"]),
        ("q=tags={1.0 nothing}", ["1.0"]),
        ("q=tags=(1.0 nothing)", []),
        ("q=repository_name=~side", ["2.0-rc"]),
        ("q=operator=maintainer,repository_name=team/app&sort=id", ["1.0", ""]),
        ("q=operator=nobody", []),
        ("q=deleted_at=[~2020-01-01T00:00:00]", []),
        ("q=unknown=1&sort=-id", ["", "2.0-rc", "1.0"]),
        ("page_size=1&page=2&sort=id", ["2.0-rc"]),
    ],
)
def test_list(world: World, query: str, found: list[str]) -> None:
    push(world, "2.0-rc", "team/side", layers=2)
    untagged = push(world, layers=3)
    delete(world)
    delete(world, "2.0-rc", "side")
    delete(world, untagged)
    answer = world.api("maintainer", "GET", f"{TRASH}?{query}")
    assert answer.status_code == 200
    assert [next(iter(row.get("tags", [])), "") for row in answer.json()] == found
    assert answer["X-Total-Count"] == ("3" if "page=" in query else str(len(found)))


@pytest.mark.parametrize("path", ["0", "99999999999999999999", "x", "-1"])
def test_ids_that_are_none(world: World, path: str) -> None:
    assert world.api("project_admin", "POST", f"{TRASH}/{path}/restore").status_code in (404, 422)
    assert world.api("project_admin", "DELETE", f"{TRASH}/{path}").status_code in (404, 422)


def test_missing_bytes_are_told(world: World) -> None:
    delete(world)
    layer = TrashedBlob.objects.exclude(blob__digest=world.artifact.digest).first()
    assert layer is not None
    RepositoryBlob.objects.all().delete()
    storage.delete_tree("team/app")
    storage.delete(storage.blob_path(layer.blob.digest))
    assert layer.blob.digest in violations()[0]
    answer = restore(world, listed(world)[0])
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (412, "PRECONDITION")
    assert not Repository.objects.filter(artifacts__isnull=False).exists()


def test_an_immutable_tag_keeps_its_artifact_out_of_the_trash(world: World) -> None:
    every = [{"kind": "doublestar", "decoration": "matches", "pattern": "**"}]
    repositories = [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]
    ImmutableRule.objects.create(
        project=world.project, tag_selectors=every, scope_selectors={"repository": repositories}
    )
    assert world.api("maintainer", "DELETE", f"{APP}/artifacts/1.0").status_code == 412
    assert world.api("maintainer", "DELETE", APP).status_code == 412
    assert listed(world) == []
    assert Artifact.objects.exists() and storage.backend().size(
        storage.revision_link("team/app", world.artifact.digest)
    )


def test_an_accessory_that_is_part_of_an_index_outlives_its_subject(world: World) -> None:
    signature = push_signature(world.actor("developer"), "team/app", world.artifact.digest)
    push_index(world.actor("developer"), "team/app", "signatures", signature)
    delete(world)
    kept = Accessory.objects.get(artifact__digest=signature)
    assert kept.subject is None
    assert [row["companions"] for row in listed(world)] == [0]
    restore(world, listed(world)[0])
    kept.refresh_from_db()
    assert kept.subject is not None
    assert kept.subject.digest == world.artifact.digest


def test_the_v2_delete_fills_the_trash_too(world: World) -> None:
    artifact_service.delete(world.actor("maintainer"), world.artifact)
    assert [row["tags"] for row in listed(world)] == [["1.0"]]
