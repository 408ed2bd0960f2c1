"""Compare database and storage, both ways. Changes nothing.

A *violation* breaks an invariant: something a client was promised is not there, or usage does not add up. A *leftover*
is what a crash or an abandoned push may leave behind: nothing names it, garbage collection takes it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from django.db.models import Count, Exists, OuterRef
from django.utils import timezone

from harbor_core.lib import storage
from projects.models import (
    Artifact,
    ArtifactBlob,
    ArtifactReference,
    Blob,
    Project,
    ProjectBlob,
    RepositoryBlob,
    TrashedBlob,
)
from projects.services import quota, storage_audit
from projects.services.storage_audit import Kind


@dataclass(frozen=True, slots=True)
class Finding:
    violation: bool
    subject: str
    message: str


def verify(*, deep: bool = False) -> Iterator[Finding]:
    """Everything that is wrong; ``deep`` also reads every referenced blob and compares its digest."""
    yield from _artifacts()
    yield from _blobs(deep)
    yield from _accounting()
    yield from _storage()


def _artifacts() -> Iterator[Finding]:
    """Invariant 1: an artifact's manifest and everything it names is in storage."""
    store = storage.backend()
    for artifact in Artifact.objects.select_related("repository").order_by("pk").iterator(chunk_size=200):
        name = f"{artifact.repository.name}@{artifact.digest}"
        content = bytes(artifact.manifest)
        if "sha256:" + hashlib.sha256(content).hexdigest() != artifact.digest:
            yield Finding(True, name, "the manifest in the database does not have this digest")
        if store.size(storage.revision_link(artifact.repository.name, artifact.digest)) is None:
            yield Finding(True, name, "its revision link is missing in storage")
        if store.size(storage.blob_path(artifact.digest)) != len(content):
            yield Finding(True, name, "its manifest is missing in storage or has another length")
        named = ArtifactBlob.objects.filter(artifact=artifact).exclude(blob__digest=artifact.digest)
        for digest in named.values_list("blob__digest", flat=True):
            if store.size(storage.layer_link(artifact.repository.name, digest)) is None:
                yield Finding(True, name, f"the link of {digest} is missing in storage")
            if not RepositoryBlob.objects.filter(
                repository_name=artifact.repository.name, blob__digest=digest
            ).exists():
                yield Finding(True, name, f"{digest} is not recorded for this repository")
    absent = ArtifactReference.objects.filter(child=None, left_out=False, parent__project__registry_id=None)
    for digest, parent in absent.values_list("child_digest", "parent__digest"):
        yield Finding(True, parent, f"the index lacks its child {digest}")


def _blobs(deep: bool) -> Iterator[Finding]:
    """What artifacts name, and what the trash holds, is live, in storage and as long as recorded."""
    store = storage.backend()
    by_artifact = Exists(ArtifactBlob.objects.filter(blob=OuterRef("pk")))
    by_trash = Exists(TrashedBlob.objects.filter(blob=OuterRef("pk")))
    named = Blob.objects.annotate(by_artifact=by_artifact).filter(by_artifact | by_trash).order_by("pk")
    for blob in named.iterator(chunk_size=500):
        by = "it is named by an artifact" if blob.by_artifact else "it is held by the trash"
        if blob.state != Blob.State.LIVE:
            yield Finding(True, blob.digest, f"{by} but marked for deletion")
        size = store.size(storage.blob_path(blob.digest))
        if size is None:
            yield Finding(True, blob.digest, f"{by} but missing in storage")
        elif size != blob.size:
            yield Finding(True, blob.digest, f"it has {size} bytes in storage, {blob.size} in the database")
        elif deep and not storage.has_digest(blob.digest):
            yield Finding(True, blob.digest, "its content does not have this digest")


def _accounting() -> Iterator[Finding]:
    """Invariant 3: incremental usage equals a recount, and references are counted right."""
    for project in Project.objects.filter(deleted=False).order_by("pk"):
        accounts = quota.check_accounts(project.pk)
        if accounts.used != accounts.counted:
            message = f"usage is {accounts.used} bytes, a recount gives {accounts.counted}"
            yield Finding(True, project.name, message)
        if not accounts.miscounted:
            continue
        counted = dict(
            ArtifactBlob.objects.filter(artifact__project=project)
            .values_list("blob_id")
            .annotate(number=Count("artifact_id"))
        )
        recorded = dict(ProjectBlob.objects.filter(project=project).values_list("blob_id", "refs"))
        wrong = sorted(set(counted.items()) ^ set(recorded.items()))[:5]
        yield Finding(True, project.name, f"references are miscounted, among them blobs {wrong}")


_LEFT = {
    Kind.BLOB: "{0.size} bytes the database does not know",
    Kind.FILE: "{0.size} bytes that are no blob",
    Kind.LINK: "a link the database does not know",
    Kind.MANIFEST: "a manifest revision the database does not know",
    Kind.UPLOAD: "an upload session that was abandoned",
}


def _storage() -> Iterator[Finding]:
    """What is in storage and nothing names."""
    now = timezone.now()
    for batch in chain(storage_audit.compare_blobs(now), storage_audit.compare_trees(now)):
        for found in batch:
            if message := _LEFT.get(Kind(found.kind)):
                subject = found.digest if found.kind == Kind.BLOB else found.path
                yield Finding(False, subject, message.format(found))
