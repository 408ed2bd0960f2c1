"""Repositories, artifacts, tags, accessories and additions."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from harbor_core.lib import media_types as mt
from projects.manifests import icons
from projects.models import Artifact, Repository, Tag, TagEvent
from tests.cast import World, forget_everything, image, make_project, push_image, push_manifest

ARTIFACTS = "projects/team/repositories/app/artifacts"


def pushed(world: World, repository: str = "team/app", tag: str = "", **options: Any) -> str:
    return push_image(world.actor("developer"), repository, tag, **options)


def push_index(world: World, tag: str, *platforms: str) -> tuple[str, list[str]]:
    """An index of images, each in the repository without a tag. Returns its digest and theirs."""
    children: list[dict[str, Any]] = []
    for platform in platforms:
        digest = pushed(world)
        size = len(bytes(Artifact.objects.get(digest=digest).manifest))
        children.append(
            {
                "mediaType": mt.OCI_MANIFEST,
                "digest": digest,
                "size": size,
                "platform": {"os": "linux", "architecture": platform},
            }
        )
    manifest = {"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": children}
    digest = push_manifest(world.actor("developer"), "team/app", tag, manifest)
    return digest, [child["digest"] for child in children]


def push_signature(world: World, subject: str) -> str:
    size = len(bytes(Artifact.objects.get(digest=subject).manifest))
    manifest = image(
        "team/app",
        artifactType="application/vnd.example.signature",
        subject={"mediaType": mt.OCI_MANIFEST, "digest": subject, "size": size},
    )
    return push_manifest(world.actor("developer"), "team/app", "", manifest)


def digests(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["digest"] for row in response.json()]


# ---------------------------------------------------------------------- repositories


def test_repository(world: World) -> None:
    seen = world.api("guest", "GET", "projects/team/repositories/app").json()
    repository = Repository.objects.get()
    assert {key: value for key, value in seen.items() if not key.endswith("_time")} == {
        "id": repository.pk,
        "project_id": world.project.pk,
        "name": "team/app",
        "artifact_count": 1,
        "pull_count": 0,
    }
    assert world.api("developer", "PUT", "projects/team/repositories/app", {"description": "# Ours"}).status_code == 200
    assert world.api("guest", "GET", "projects/team/repositories/app").json()["description"] == "# Ours"
    pushed(world)
    assert world.api("guest", "GET", "projects/team/repositories/app").json()["artifact_count"] == 2


@pytest.mark.parametrize("segment", ["deep%252Fer%252Fapp", "deep%252fer%252fapp"])
def test_names_with_slashes(world: World, segment: str) -> None:
    digest = pushed(world, "team/deep/er/app", "1.0")
    path = f"projects/team/repositories/{segment}"
    assert world.api("guest", "GET", path).json()["name"] == "team/deep/er/app"
    artifact = world.api("guest", "GET", f"{path}/artifacts/1.0").json()
    assert artifact["digest"] == digest
    href = artifact["addition_links"]["build_history"]["href"]
    assert href == (
        f"/api/v2.0/projects/team/repositories/deep%252Fer%252Fapp/artifacts/{digest}/additions/build_history"
    )
    assert world.api("guest", "GET", href).status_code == 200


def test_repository_lists(world: World) -> None:
    pushed(world, "team/web", "1")
    push_image(world.actor("sysadmin"), "library/free", "1")

    def names(persona: str, path: str) -> list[str]:
        return [row["name"] for row in world.api(persona, "GET", path).json()]

    assert names("guest", "projects/team/repositories") == ["team/web", "team/app"]
    assert names("guest", "projects/team/repositories?sort=name") == ["team/app", "team/web"]
    assert names("guest", "projects/team/repositories?q=name%3D~WEB") == ["team/web"]
    assert names("anonymous", "projects/library/repositories") == ["library/free"]
    assert names("anonymous", "repositories") == names("outsider", "repositories") == ["library/free"]
    assert sorted(names("guest", "repositories")) == ["library/free", "team/app", "team/web"]


def test_public_repositories_are_listed_but_not_read(world: World) -> None:
    """Anyone lists the repositories of a public project and pulls; the details are for members (contract 2.8)."""
    push_image(world.actor("sysadmin"), "library/free", "1")
    assert world.api("anonymous", "GET", "projects/library/repositories/free").status_code == 401
    assert world.api("outsider", "GET", "projects/library/repositories/free").status_code == 403
    for path in ("artifacts", "artifacts/1", "artifacts/1/tags", "artifacts/1/additions/build_history"):
        assert world.api("anonymous", "GET", f"projects/library/repositories/free/{path}").status_code == 200
    assert world.api("anonymous", "DELETE", "projects/library/repositories/free/artifacts/1").status_code == 401
    assert world.api("outsider", "DELETE", "projects/library/repositories/free/artifacts/1").status_code == 403


def test_delete_repository(world: World) -> None:
    push_index(world, "multi", "amd64", "arm64")
    assert world.api("maintainer", "DELETE", "projects/team/repositories/app").status_code == 200
    assert world.api("maintainer", "GET", "projects/team/repositories/app").status_code == 404
    assert not Artifact.objects.exists()
    assert world.api("guest", "GET", "projects/team/summary").json()["quota"]["used"] == {"storage": 0}


# ---------------------------------------------------------------------- artifacts


def test_artifact(world: World) -> None:
    seen = world.api("guest", "GET", f"{ARTIFACTS}/1.0").json()
    artifact = world.artifact
    tag = Tag.objects.get()
    assert seen == {
        "id": artifact.pk,
        "type": "IMAGE",
        "media_type": "application/vnd.oci.image.config.v1+json",
        "manifest_media_type": mt.OCI_MANIFEST,
        "artifact_type": "application/vnd.oci.image.config.v1+json",
        "project_id": world.project.pk,
        "repository_id": artifact.repository_id,
        "repository_name": "team/app",
        "digest": artifact.digest,
        "size": artifact.size,
        "icon": icons.of_artifact("IMAGE"),
        "push_time": seen["push_time"],
        "pull_time": "0001-01-01T00:00:00.000Z",
        "extra_attrs": artifact.extra_attrs,
        "tags": [
            {
                "id": tag.pk,
                "repository_id": artifact.repository_id,
                "artifact_id": artifact.pk,
                "name": "1.0",
                "push_time": seen["tags"][0]["push_time"],
                "pull_time": "0001-01-01T00:00:00.000Z",
                "immutable": False,
            }
        ],
        "addition_links": seen["addition_links"],
    }
    assert seen == world.api("guest", "GET", f"{ARTIFACTS}/{artifact.digest}").json()
    assert world.api("guest", "GET", f"{ARTIFACTS}/2.0").status_code == 404
    assert "tags" not in world.api("guest", "GET", f"{ARTIFACTS}/1.0?with_tag=false").json()


def test_listing_hides_children_and_accessories(world: World) -> None:
    first = world.artifact.digest
    index, children = push_index(world, "multi", "amd64", "arm64")
    signature = push_signature(world, index)
    loose = pushed(world)
    assert digests(world.api("guest", "GET", ARTIFACTS)) == [loose, index, first]
    everything = digests(world.api("guest", "GET", f"{ARTIFACTS}?q=base%3D*"))
    assert set(everything) == {first, index, loose, signature, *children}
    shown = world.api("guest", "GET", f"{ARTIFACTS}/multi?with_accessory=true").json()
    assert [reference["platform"]["architecture"] for reference in shown["references"]] == ["amd64", "arm64"]
    assert [reference["child_digest"] for reference in shown["references"]] == children
    assert [(row["digest"], row["type"]) for row in shown["accessories"]] == [(signature, "subject.accessory")]
    assert "addition_links" not in shown
    listed = world.api("guest", "GET", f"{ARTIFACTS}/multi/accessories")
    assert listed["X-Total-Count"] == "1"
    assert listed.json() == shown["accessories"]
    assert listed.json()[0]["subject_artifact_repo"] == "team/app"
    # A tag makes a child visible; without it, it hides again.
    assert world.api("developer", "POST", f"{ARTIFACTS}/{children[0]}/tags", {"name": "arm"}).status_code == 201
    assert children[0] in digests(world.api("guest", "GET", ARTIFACTS))
    world.api("maintainer", "DELETE", f"{ARTIFACTS}/{children[0]}/tags/arm")
    assert children[0] not in digests(world.api("guest", "GET", ARTIFACTS))


def test_signatures_of_an_index_speak_for_its_children(world: World) -> None:
    index, children = push_index(world, "multi", "amd64", "arm64")
    subject = {"mediaType": mt.OCI_INDEX, "digest": index, "size": 1}
    signed = image("team/app", artifactType="application/vnd.cncf.notary.signature", subject=subject)
    signature = push_manifest(world.actor("developer"), "team/app", "", signed)
    push_signature(world, index)  # says nothing about who signed
    path = f"{ARTIFACTS}?q=base%3D*&with_inherited_accessory=true"
    inherited = {
        row["digest"]: [(item["digest"], item["subject_artifact_digest"]) for item in row["inherited_accessories"]]
        for row in world.api("guest", "GET", path).json()
        if "inherited_accessories" in row
    }
    assert inherited == {child: [(signature, index)] for child in children}
    one = world.api(
        "guest", "GET", f"{ARTIFACTS}/{children[0]}?with_inherited_accessory=true&with_accessory=true"
    ).json()
    assert len(one["inherited_accessories"]) == 1
    assert "accessories" not in one
    assert "inherited_accessories" not in world.api("guest", "GET", path).json()


def test_a_signature_with_a_tag_is_listed_with_what_it_signs(world: World) -> None:
    """cosign finds its signatures by a tag."""
    size = len(bytes(world.artifact.manifest))
    signed = image("team/app", subject={"mediaType": mt.OCI_MANIFEST, "digest": world.artifact.digest, "size": size})
    tag = f"{world.artifact.digest.replace(':', '-')}.sig"
    signature = push_manifest(world.actor("developer"), "team/app", tag, signed)
    assert digests(world.api("guest", "GET", ARTIFACTS)) == [world.artifact.digest]
    assert signature in digests(world.api("guest", "GET", f"{ARTIFACTS}?q=base%3D*"))
    assert world.api("guest", "GET", f"{ARTIFACTS}/{tag}").json()["digest"] == signature
    world.api("developer", "POST", f"{ARTIFACTS}/{signature}/tags", {"name": "again"})
    assert digests(world.api("guest", "GET", ARTIFACTS)) == [world.artifact.digest]


def test_queries(world: World) -> None:
    first, untagged = world.artifact.digest, pushed(world)
    second = pushed(world, tag="2.0")
    world.api("developer", "POST", f"{ARTIFACTS}/2.0/tags", {"name": "latest"})

    def found(query: str) -> list[str]:
        return digests(world.api("guest", "GET", f"{ARTIFACTS}?q={query}"))

    assert found("tags%3D*") == [second, first]
    assert found("tags%3Dnil") == [untagged]
    assert found("tags%3D2.0") == [second]
    assert found("tags%3D~ATE") == [second]
    assert found("tags%3D%7B1.0+2.0%7D") == [second, first]
    assert found("tags%3D(2.0+latest)") == [second]
    assert found("tags%3D(1.0+latest)") == []
    assert found("type%3DIMAGE,tags%3D1.0") == [first]
    assert found("type%3DCHART") == []
    assert found(f"digest%3D{untagged}") == [untagged]
    assert found("media_type%3D~config.v1") == [second, untagged, first]
    tomorrow = f"{timezone.now() + timedelta(days=1):%Y-%m-%dT%H:%M:%S}"
    assert found(f"push_time%3D%5B{tomorrow}~%5D") == []
    assert found(f"push_time%3D%5B~{tomorrow}%5D") == [second, untagged, first]
    assert world.api("guest", "GET", f"{ARTIFACTS}?q=tags%3D%5B1~2%5D").status_code == 400
    assert digests(world.api("guest", "GET", f"{ARTIFACTS}?sort=push_time")) == [first, untagged, second]
    Artifact.objects.filter(digest=untagged).update(pull_time=timezone.now())
    assert digests(world.api("guest", "GET", f"{ARTIFACTS}?sort=-pull_time"))[0] == untagged
    assert digests(world.api("guest", "GET", f"{ARTIFACTS}?sort=pull_time"))[-1] == untagged


def test_total_follows_every_change(world: World) -> None:
    def total(path: str = f"{ARTIFACTS}?page_size=1") -> str:
        return world.api("guest", "GET", path)["X-Total-Count"]

    assert total() == "1"
    pushed(world, tag="2.0")
    pushed(world)
    assert total() == total() == "3"
    assert total("projects/team/artifacts?page_size=1") == "3"
    world.api("maintainer", "DELETE", f"{ARTIFACTS}/2.0")
    assert total() == "2"
    assert total("projects/team/artifacts?page_size=1") == "2"


def test_the_total_of_a_query_follows_every_change_too(world: World) -> None:
    def total(query: str) -> str:
        return world.api("guest", "GET", f"{ARTIFACTS}?page_size=1&q={query}")["X-Total-Count"]

    pushed(world)
    pushed(world, tag="2.0")
    assert (total("tags%3D*"), total("tags%3D*"), total("tags%3Dnil"), total("base%3D*")) == ("2", "2", "1", "3")
    world.api("maintainer", "DELETE", f"{ARTIFACTS}/1.0/tags/1.0")
    assert (total("tags%3D*"), total("tags%3Dnil")) == ("1", "2")
    push_index(world, "multi", "amd64")
    assert (total("tags%3D*"), total("base%3D*")) == ("2", "5")
    long_ago = "pull_time%3D%5B2000-01-01T00:00:00~%5D"
    assert total(long_ago) == "0"
    Artifact.objects.filter(digest=world.artifact.digest).update(pull_time=timezone.now())
    Artifact.objects.exclude(digest=world.artifact.digest).filter(listed=True).update(pull_time=timezone.now())
    assert total(long_ago) == "4"


def test_project_artifacts(world: World) -> None:
    web = pushed(world, "team/web", "1")
    app = pushed(world, tag="2.0")
    listed = world.api("guest", "GET", "projects/team/artifacts")
    assert digests(listed) == [app, web, world.artifact.digest]
    assert [row["repository_name"] for row in listed.json()] == ["team/app", "team/web", "team/app"]
    latest = world.api("guest", "GET", "projects/team/artifacts?latest_in_repository=true")
    assert digests(latest) == [app, web]
    assert latest["X-Total-Count"] == "2"
    found = world.api("guest", "GET", "projects/team/artifacts?q=repository_name%3Dteam/web")
    assert digests(found) == [web]


def test_delete_artifact(world: World) -> None:
    index, children = push_index(world, "multi", "amd64")
    refused = world.api("maintainer", "DELETE", f"{ARTIFACTS}/{children[0]}")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (412, "VIOLATE_FOREIGN_KEY_CONSTRAINT")
    assert world.api("maintainer", "DELETE", f"{ARTIFACTS}/{index}").status_code == 200
    assert world.api("maintainer", "GET", f"{ARTIFACTS}/{children[0]}").status_code == 404
    assert world.api("maintainer", "DELETE", f"{ARTIFACTS}/multi").status_code == 404


def test_tags(world: World) -> None:
    path = f"{ARTIFACTS}/1.0/tags"
    made = world.api("developer", "POST", path, {"name": "stable"})
    assert (made.status_code, made.content, "Location" in made) == (201, b"", False)
    assert [row["name"] for row in world.api("guest", "GET", path).json()] == ["stable", "1.0"]
    assert [row["name"] for row in world.api("guest", "GET", f"{path}?q=name%3D~STA").json()] == ["stable"]
    assert world.api("guest", "GET", f"{path}?page_size=1")["X-Total-Count"] == "2"
    assert world.api("developer", "POST", path, {"name": "stable"}).status_code == 409
    for name in (".x", "a b", "x" * 129, "", "a/b", "é", "a\n"):
        assert world.api("developer", "POST", path, {"name": name}).status_code == 400, name
    assert world.api("developer", "POST", path, {}).status_code == 422
    other = pushed(world, tag="2.0")
    assert world.api("maintainer", "DELETE", f"{ARTIFACTS}/{other}/tags/stable").status_code == 404
    assert world.api("maintainer", "DELETE", f"{path}/stable").status_code == 200
    assert world.api("maintainer", "DELETE", f"{path}/stable").status_code == 404
    assert [event.operation for event in TagEvent.objects.filter(name="stable").order_by("pk")] == ["create", "delete"]
    assert world.api("guest", "GET", f"{ARTIFACTS}/{world.artifact.digest}").status_code == 200


def test_additions(world: World) -> None:
    history = world.api("guest", "GET", f"{ARTIFACTS}/1.0/additions/build_history")
    assert history.json() == [{"created": "2026-01-02T03:04:05Z", "created_by": "COPY . /"}]
    assert world.api("guest", "GET", f"{ARTIFACTS}/1.0/additions/nonsense").status_code == 422
    assert world.api("guest", "GET", f"{ARTIFACTS}/1.0/additions/values.yaml").status_code == 400
    push_index(world, "multi", "amd64")
    assert world.api("guest", "GET", f"{ARTIFACTS}/multi/additions/build_history").status_code == 400


# ---------------------------------------------------------------------- cost


def _queries(world: World, path: str) -> int:
    forget_everything()
    world.api("guest", "GET", path)  # remembers the password and the settings, as a process that has been asked before
    with CaptureQueriesContext(connection) as captured:
        assert world.api("guest", "GET", path).status_code == 200
    return len(captured)


@pytest.mark.parametrize(
    ("path", "budget"),
    [
        (f"{ARTIFACTS}?page_size=5", 6),
        (f"{ARTIFACTS}?page_size=5&with_accessory=true", 7),
        (
            f"{ARTIFACTS}?page_size=5&with_accessory=true&with_label=true&with_immutable_status=true"
            "&with_inherited_accessory=true&with_scan_overview=true&with_sbom_overview=true",
            11,
        ),
        (f"{ARTIFACTS}?page=2&page_size=5&q=tags%3D*&with_accessory=true", 8),
        ("projects/team/artifacts?page_size=5&with_accessory=true", 8),
        ("projects/team/repositories?page_size=5", 4),
        ("repositories?page_size=5", 3),
        ("projects?page_size=2", 4),
        ("projects/team", 4),
        ("projects/team/members?page_size=2", 5),
    ],
)
def test_a_list_costs_a_constant_number_of_queries(world: World, path: str, budget: int) -> None:
    for number in range(3):
        push_index(world, f"multi-{number}", "amd64")
        push_signature(world, pushed(world, tag=f"single-{number}"))
        pushed(world, f"team/some-{number}", "1")
        pushed(world, f"team/other-{number}", "1")
        make_project(f"project-{number}", world.users["sysadmin"], public=True)
    few = _queries(world, path)
    for number in range(3, 9):
        push_index(world, f"multi-{number}", "amd64", "arm64")
        push_signature(world, pushed(world, tag=f"single-{number}"))
        pushed(world, f"team/more-{number}", "1")
        make_project(f"project-{number}", world.users["sysadmin"], public=True)
    assert few <= budget
    assert _queries(world, path) == few


@pytest.mark.postgres
def test_the_default_order_is_served_by_an_index(world: World) -> None:
    """Of 2 000 artifacts the first page is read from the index, without sorting."""
    repository = world.artifact.repository
    Artifact.objects.bulk_create(
        Artifact(
            project=world.project,
            repository=repository,
            digest=f"sha256:{number:064x}",
            type="IMAGE",
            size=1,
            manifest=b"{}",
            push_time=timezone.now() - timedelta(minutes=number),
        )
        for number in range(2000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE harbor_projects_artifact")
        with CaptureQueriesContext(connection) as captured:
            world.api("guest", "GET", f"{ARTIFACTS}?page_size=10")
        listing = next(
            query["sql"] for query in captured if '"push_time" DESC' in query["sql"] and "LIMIT" in query["sql"]
        )
        assert '"manifest"' not in listing
        cursor.execute(f"EXPLAIN {listing}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "artifact_listing" in plan
    assert "Sort" not in plan
