"""Indexes that were copied without some of their platforms."""

import hashlib
import json
from functools import partial
from typing import Any

import pytest

from harbor_core.lib import media_types as mt
from harbor_core.lib.errors import HarborError
from projects import access
from projects.models import Artifact, ArtifactReference, Repository
from projects.selectors.artifacts import artifact_get
from projects.services import artifacts, copies, restore
from projects.services.push import manifest_push
from projects.services.verify import Finding, verify
from tests.cast import World, configure, image, push_manifest
from tests.projects.test_collection import collect
from tests.projects.test_races import at_once

pytestmark = pytest.mark.django_db
REPOSITORY = "team/multi"


def entry(manifest: dict[str, Any], **more: Any) -> dict[str, Any]:
    content = json.dumps(manifest).encode()
    described = {"mediaType": mt.OCI_MANIFEST, "digest": digest_of(content), "size": len(content)}
    return described | more


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def platform(architecture: str) -> dict[str, str]:
    return {"os": "linux", "architecture": architecture}


class Index:
    """Of an image for amd64, one for arm64, and an attestation about the first. Nothing of it is pushed."""

    def __init__(self, world: World, arm64_in: str = REPOSITORY) -> None:
        self.actor = world.actor("sysadmin")
        found = access.project_access(self.actor, "team")
        assert found is not None
        self.project = found
        self.amd64, self.arm64, self.attestation = (image(name) for name in (REPOSITORY, arm64_in, REPOSITORY))
        about = {"vnd.docker.reference.digest": entry(self.amd64)["digest"]}
        entries = [
            entry(self.amd64, platform=platform("amd64")),
            entry(self.arm64, platform=platform("arm64")),
            entry(self.attestation, platform={"os": "unknown", "architecture": "unknown"}, annotations=about),
        ]
        document = {"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": entries}
        self.content = json.dumps(document).encode()
        self.digest = digest_of(self.content)

    def push(self, manifest: dict[str, Any]) -> str:
        return push_manifest(self.actor, REPOSITORY, "", manifest)

    def push_self(self, *platforms: str, reference: str = "1") -> str:
        pushed = manifest_push(
            self.actor, self.project, REPOSITORY, reference, self.content, mt.OCI_INDEX, platforms=platforms
        )
        return pushed.digest

    @property
    def left_out(self) -> list[bool]:
        rows = ArtifactReference.objects.filter(parent__digest=self.digest).order_by("position")
        return list(rows.values_list("left_out", flat=True))


def violations() -> list[Finding]:
    return [finding for finding in verify() if finding.violation]


def refused(index: Index, *platforms: str) -> str:
    with pytest.raises(HarborError) as caught:
        index.push_self(*platforms)
    return caught.value.code


def test_what_was_not_left_out_has_to_be_there(world: World) -> None:
    index = Index(world)
    index.push(index.amd64)
    assert refused(index) == "MANIFEST_BLOB_UNKNOWN", "without the word of the client it is an index like any other"
    assert refused(index, "linux/amd64") == "MANIFEST_BLOB_UNKNOWN", "the attestation belongs to it"
    index.push(index.attestation)
    assert refused(index, "linux/amd64", "linux/arm64") == "MANIFEST_BLOB_UNKNOWN"
    assert not Artifact.objects.filter(digest=index.digest).exists()
    index.push_self("linux/amd64")
    assert index.left_out == [False, True, False]
    assert not violations()
    index.push(index.arm64)
    assert index.left_out == [False, False, False]
    size = Artifact.objects.get(digest=index.digest).size
    children = Artifact.objects.filter(parents__parent__digest=index.digest)
    assert size == len(index.content) + sum(child.size for child in children)


def test_an_index_with_nothing_of_it_is_refused(world: World) -> None:
    index = Index(world)
    for platforms in (["linux/riscv64"], ["linux/arm64"]):
        assert refused(index, *platforms) == "MANIFEST_BLOB_UNKNOWN"


def test_it_is_deleted_restored_and_collected(world: World) -> None:
    index = Index(world)
    for manifest in (index.amd64, index.attestation):
        index.push(manifest)
    index.push_self("linux/amd64")
    collect()
    artifacts.delete(index.actor, Artifact.objects.get(digest=index.digest))
    collect()
    trashed = world.api("maintainer", "GET", "projects/team/trash").json()
    [row] = [row["id"] for row in trashed if row["digest"] == index.digest]
    restore.restore(index.actor, index.project, row)
    assert index.left_out == [False, True, False] and not violations()
    configure(trash_retention_days=0)
    artifacts.delete(index.actor, Artifact.objects.get(digest=index.digest))
    collect()
    assert not Artifact.objects.filter(repository__name=REPOSITORY).exists() and not violations()


def test_a_copied_child_joins_the_index(world: World) -> None:
    index = Index(world, arm64_in="team/elsewhere")
    for manifest in (index.amd64, index.attestation):
        index.push(manifest)
    index.push_self("linux/amd64")
    child = push_manifest(world.actor("sysadmin"), "team/elsewhere", "", index.arm64)
    source = artifact_get(Repository.objects.get(name="team/elsewhere"), child)
    copies.copy(world.actor("sysadmin"), index.project, REPOSITORY, source)
    assert index.left_out == [False, False, False]


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_an_index_and_its_child_at_once(world: World) -> None:
    for _ in range(10):
        index = Index(world)
        for manifest in (index.amd64, index.attestation):
            index.push(manifest)
        results = at_once(partial(index.push_self, "linux/amd64"), partial(index.push, index.arm64))
        assert results[0] == index.digest and str(results[1]).startswith("sha256:"), results
        assert index.left_out == [False, False, False]
        assert not Artifact.objects.filter(parents=None, digest=results[1]).exists()
