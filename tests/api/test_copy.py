"""Copies of artifacts between repositories."""

from typing import Any

import pytest

from harbor_core.lib import media_types as mt
from harbor_core.lib import storage
from harbor_core.models import AuditLog, Event
from projects.models import (
    Accessory,
    Artifact,
    ArtifactReference,
    ImmutableRule,
    Member,
    Project,
    Quota,
    Repository,
    RepositoryBlob,
    Tag,
)
from projects.services import quota
from tests.cast import World, image, make_project, push_image, push_manifest

TARGET = "projects/depot/repositories/copied/artifacts"


@pytest.fixture
def depot(world: World) -> Project:
    """Where the developer may put things; the guest of ``team`` as well, who may not in ``team``."""
    project = make_project("depot", world.users["sysadmin"])
    for name in ("developer", "guest"):
        Member.objects.create(project=project, user=world.users[name], role=2)
    return project


def copy(world: World, source: str, persona: str = "developer", target: str = TARGET) -> Any:
    return world.api(persona, "POST", f"{target}?from={source}")


def size_of(digest: str) -> int:
    return len(bytes(Artifact.objects.filter(digest=digest)[0].manifest))


def push_index(world: World, tag: str, *children: str) -> str:
    listed = [{"mediaType": mt.OCI_MANIFEST, "digest": digest, "size": size_of(digest)} for digest in children]
    manifest = {"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": listed}
    return push_manifest(world.actor("developer"), "team/app", tag, manifest)


def push_signature(world: World, subject: str) -> str:
    named = {"mediaType": mt.OCI_MANIFEST, "digest": subject, "size": size_of(subject)}
    return push_manifest(world.actor("developer"), "team/app", "", image("team/app", subject=named))


def digests(repository: str) -> set[str]:
    return set(Artifact.objects.filter(repository__name=repository).values_list("digest", flat=True))


def snapshot() -> list[int]:
    return [model.objects.count() for model in (Artifact, Tag, Repository, Accessory, AuditLog, Event)]


def test_copy(world: World, depot: Project) -> None:
    source = world.artifact
    world.api("developer", "POST", "projects/team/repositories/app/artifacts/1.0/tags", {"name": "latest"})
    made = copy(world, "team/app:1.0")
    assert (made.status_code, made.content) == (201, b"")
    assert made["Location"] == f"/api/v2.0/{TARGET}/{source.digest}"
    seen = world.api("developer", "GET", made["Location"]).json()
    original = world.api("developer", "GET", "projects/team/repositories/app/artifacts/1.0").json()
    same = ("digest", "size", "type", "media_type", "manifest_media_type", "extra_attrs", "icon")
    assert {key: seen[key] for key in same} == {key: original[key] for key in same}
    assert {tag["name"] for tag in seen["tags"]} == {"1.0", "latest"}  # all of them, not only the one in `from`
    copied = Artifact.objects.get(repository__name="depot/copied")
    for blob in copied.blobs.select_related("blob"):
        link = storage.layer_link if blob.blob.digest != source.digest else storage.revision_link
        assert storage.backend().size(link("depot/copied", blob.blob.digest)) is not None
        assert RepositoryBlob.objects.filter(repository_name="depot/copied", blob=blob.blob).exists()
    assert quota.used(depot.pk) == quota.recount(depot.pk) == source.size
    assert AuditLog.objects.filter(operation="copy", project_id=depot.pk).count() == 1
    pushed = Event.objects.filter(type="PUSH_ARTIFACT", project_id=depot.pk)
    assert sorted(event.payload["tag"] for event in pushed) == ["1.0", "latest"]


def test_by_digest_and_again(world: World, depot: Project) -> None:
    digest = world.artifact.digest
    first = copy(world, f"team/app@{digest}")
    used = quota.used(depot.pk)
    again = copy(world, f"team/app:1.0@{digest}")
    assert (first.status_code, first["Location"]) == (again.status_code, again["Location"]) == (201, first["Location"])
    assert digests("depot/copied") == {digest}
    assert quota.used(depot.pk) == used == quota.recount(depot.pk)


def test_into_its_own_repository_changes_nothing(world: World) -> None:
    before = snapshot()
    made = copy(world, "team/app:1.0", target="projects/team/repositories/app/artifacts")
    assert (made.status_code, snapshot()) == (201, before)


def test_into_another_repository_of_the_project_costs_nothing(world: World) -> None:
    used = quota.used(world.project.pk)
    made = copy(world, "team/app:1.0", target="projects/team/repositories/deep%252Fer/artifacts")
    assert made["Location"] == f"/api/v2.0/projects/team/repositories/deep%252Fer/artifacts/{world.artifact.digest}"
    assert world.api("guest", "GET", made["Location"]).status_code == 200
    assert quota.used(world.project.pk) == used == quota.recount(world.project.pk)


def test_everything_that_belongs_to_it_comes_along(world: World, depot: Project) -> None:
    """Children of an index, signatures of each, and signatures of signatures."""
    children = [push_image(world.actor("developer"), "team/app", "child") for _ in range(2)]
    index = push_index(world, "multi", *children)
    outer = push_index(world, "outer", index, children[1])
    signatures = [push_signature(world, outer), push_signature(world, children[0])]
    signatures.append(push_signature(world, signatures[0]))
    cosign = push_manifest(
        world.actor("developer"),
        "team/app",
        f"{outer.replace(':', '-')}.sig",
        image("team/app")
        | {
            "layers": [
                {"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json"} | item
                for item in [{k: v for k, v in image("team/app")["layers"][0].items() if k != "mediaType"}]
            ]
        },
    )
    assert copy(world, "team/app:outer").status_code == 201
    assert digests("depot/copied") == {outer, index, *children, *signatures, cosign}
    copied = Artifact.objects.filter(repository__name="depot/copied")
    assert {(row.artifact.digest, row.subject.digest) for row in Accessory.objects.filter(artifact__in=copied)} == {
        (signatures[0], outer),
        (signatures[1], children[0]),
        (signatures[2], signatures[0]),
        (cosign, outer),
    }
    references = ArtifactReference.objects.filter(parent__in=copied).select_related("child__repository")
    assert {row.child.repository.name for row in references} == {"depot/copied"}
    # A child's own tags stay behind; the tag cosign looks for does not.
    tags = set(Tag.objects.filter(repository__name="depot/copied").values_list("name", flat=True))
    assert tags == {"outer", f"{outer.replace(':', '-')}.sig"}
    assert quota.used(depot.pk) == quota.recount(depot.pk)
    listed = world.api("developer", "GET", TARGET).json()
    assert [row["digest"] for row in listed] == [outer]


def test_a_tag_that_is_there_moves(world: World, depot: Project) -> None:
    old = push_image(world.actor("developer"), "depot/copied", "1.0")
    assert copy(world, "team/app:1.0").status_code == 201
    assert Tag.objects.get(repository__name="depot/copied", name="1.0").artifact.digest == world.artifact.digest
    assert old in digests("depot/copied")


def test_an_immutable_tag_does_not_move(world: World, depot: Project) -> None:
    push_image(world.actor("developer"), "depot/copied", "1.0")
    ImmutableRule.objects.create(
        project=depot,
        tag_selectors=[{"kind": "doublestar", "decoration": "matches", "pattern": "1*"}],
        scope_selectors={"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
    )
    before = snapshot()
    refused = copy(world, "team/app:1.0")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (412, "PRECONDITION")
    assert snapshot() == before
    assert copy(world, "team/app:1.0", target=TARGET.replace("copied", "other")).status_code == 201
    assert copy(world, "team/app:1.0", target=TARGET.replace("copied", "other")).status_code == 201


def test_quota(world: World, depot: Project) -> None:
    """All of it counts, once; what the project has already does not."""
    children = [push_image(world.actor("developer"), "team/app") for _ in range(2)]
    index = push_index(world, "multi", *children)
    whole = sum(Artifact.objects.get(digest=digest).size for digest in children) + size_of(index)
    Quota.objects.filter(project=depot).update(hard=whole - 1)
    before = snapshot()
    refused = copy(world, "team/app:multi")
    assert refused.status_code == 403
    error = refused.json()["errors"][0]
    assert error["code"] == "DENIED"
    human = quota.human
    assert error["message"] == (
        f"Quota exceeded when processing the request of adding {human(whole)} of storage resource, which when updated "
        f"to current usage of {human(0)} will exceed the configured upper limit of {human(whole - 1)}."
    )
    assert snapshot()[:4] == before[:4]
    Quota.objects.filter(project=depot).update(hard=whole)
    assert copy(world, "team/app:multi").status_code == 201
    assert quota.used(depot.pk) == whole == quota.recount(depot.pk)
    assert copy(world, "team/app:multi", target=TARGET.replace("copied", "again")).status_code == 201


def test_who_may(world: World, depot: Project) -> None:
    source, library = "team/app:1.0", "projects/library/repositories/app/artifacts"
    before = snapshot()
    assert copy(world, source, "anonymous").status_code == 401
    assert copy(world, source, "outsider").status_code == 403
    assert copy(world, source, "maintainer").status_code == 403  # of team, nothing in depot
    assert copy(world, source, "guest", target="projects/team/repositories/x/artifacts").status_code == 403
    assert snapshot() == before
    assert copy(world, source, "guest").status_code == 201
    # What one may put into but not read from, and the other way round.
    hidden = make_project("hidden", world.users["sysadmin"])
    push_image(world.actor("sysadmin"), "hidden/app", "1.0")
    assert copy(world, "hidden/app:1.0").status_code == 403
    assert copy(world, "nowhere/app:1.0").status_code == 403
    assert copy(world, "nowhere/app:1.0", "sysadmin").status_code == 404
    assert copy(world, "hidden/app:1.0", "sysadmin").status_code == 201
    Project.objects.filter(pk=hidden.pk).update(public=True)
    assert copy(world, "hidden/app:1.0").status_code == 201
    assert copy(world, source, "developer", target=library).status_code == 403


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("", 422),
        ("team/app", 400),
        ("app:1.0", 400),
        ("team/App:1.0", 400),
        ("team/app:", 400),
        ("team/app:.x", 400),
        ("team/app@sha256:123", 400),
        ("team/app@sha512:" + "0" * 128, 400),
        ("https://host/team/app:1.0", 400),
        ("team/../app:1.0", 400),
        ("team/app:2.0", 404),
        ("team/web:1.0", 404),
        ("team/app@sha256:" + "0" * 64, 404),
    ],
)
def test_sources_that_are_none(source: str, status: int, world: World, depot: Project) -> None:
    answer = copy(world, source)
    assert (answer.status_code, bool(answer.json()["errors"])) == (status, True)


def test_targets_that_are_none(world: World, depot: Project) -> None:
    for name in ("Upper", "a..b", "-a", "x" * 260, "a%252F"):
        assert copy(world, "team/app:1.0", target=TARGET.replace("copied", name)).status_code == 400, name
    Project.objects.filter(pk=depot.pk).update(registry_id=1)
    assert copy(world, "team/app:1.0").status_code == 405
    assert not Repository.objects.filter(project=depot).exists()


def test_an_index_that_is_not_all_here(world: World, depot: Project) -> None:
    index = push_index(world, "multi", world.artifact.digest)
    ArtifactReference.objects.filter(parent__digest=index).update(child=None)
    refused = copy(world, "team/app:multi")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (412, "PRECONDITION")


def test_after_a_crash_it_goes_on(world: World, depot: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Storage is written before rows are: what is left of a copy that died is used by the next."""
    push_index(world, "multi", world.artifact.digest)

    def die(*args: Any, **more: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(quota, "charge", die)
        with pytest.raises(SystemExit):
            copy(world, "team/app:multi")
    assert not Repository.objects.filter(project=depot).exists()
    assert quota.used(depot.pk) == quota.recount(depot.pk) == 0
    assert copy(world, "team/app:multi").status_code == 201
    assert len(digests("depot/copied")) == 2
    assert quota.used(depot.pk) == quota.recount(depot.pk)


def test_layers_that_are_gone(world: World, depot: Project) -> None:
    layer = world.artifact.blobs.exclude(blob__digest=world.artifact.digest).first()
    assert layer is not None
    storage.delete(storage.blob_path(layer.blob.digest))
    assert copy(world, "team/app:1.0").status_code == 404
    assert not digests("depot/copied")
