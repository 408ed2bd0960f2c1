"""Compare database and storage, both ways. Changes nothing.

A *violation* breaks an invariant: something a client was promised is not there, or usage does not add up. A *leftover*
is what a crash or an abandoned push may leave behind: nothing names it, garbage collection takes it.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count, Sum
from django.db.models.functions import Coalesce

from harbor_core.lib import storage
from projects.models import (
    Artifact,
    ArtifactBlob,
    ArtifactReference,
    Blob,
    Project,
    ProjectBlob,
    RepositoryBlob,
    Upload,
)
from projects.services import quota

_DATA = re.compile(rf"{storage.ROOT}/blobs/(sha\d+)/[a-f0-9]{{2}}/([a-f0-9]+)/data")
_LAYER = re.compile(rf"{storage.ROOT}/repositories/(.+)/_layers/(sha\d+)/([a-f0-9]+)/link")
_REVISION = re.compile(rf"{storage.ROOT}/repositories/(.+)/_manifests/revisions/(sha\d+)/([a-f0-9]+)/link")
_UPLOAD = re.compile(rf"{storage.ROOT}/repositories/(.+)/_uploads/([a-f0-9-]{{36}})/startedat")


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
    absent = ArtifactReference.objects.filter(child=None, parent__project__registry_id=None)
    for digest, parent in absent.values_list("child_digest", "parent__digest"):
        yield Finding(True, parent, f"the index lacks its child {digest}")


def _blobs(deep: bool) -> Iterator[Finding]:
    """What artifacts name is live, in storage and as long as recorded."""
    store = storage.backend()
    named = Blob.objects.filter(artifacts__isnull=False).distinct().order_by("pk")
    for blob in named.iterator(chunk_size=500):
        if blob.state != Blob.State.LIVE:
            yield Finding(True, blob.digest, "it is named by an artifact but marked for deletion")
        size = store.size(storage.blob_path(blob.digest))
        if size is None:
            yield Finding(True, blob.digest, "it is named by an artifact but missing in storage")
        elif size != blob.size:
            yield Finding(True, blob.digest, f"it has {size} bytes in storage, {blob.size} in the database")
        elif deep and not _intact(blob.digest):
            yield Finding(True, blob.digest, "its content does not have this digest")


def _intact(digest: str) -> bool:
    algorithm, _, value = digest.partition(":")
    hasher = hashlib.new(algorithm)
    with storage.backend().storage.open(storage.blob_path(digest), "rb") as file:
        while chunk := file.read(1024 * 1024):
            hasher.update(chunk)
    return hasher.hexdigest() == value


def _accounting() -> Iterator[Finding]:
    """Invariant 3: incremental usage equals a recount, and references are counted right."""
    for project in Project.objects.filter(deleted=False).order_by("pk"):
        distinct = Blob.objects.filter(pk__in=ArtifactBlob.objects.filter(artifact__project=project).values("blob_id"))
        recount = distinct.aggregate(total=Coalesce(Sum("size"), 0))["total"]
        used = quota.used(project.pk)
        if used != recount:
            yield Finding(True, project.name, f"usage is {used} bytes, a recount gives {recount}")
        counted = dict(
            ArtifactBlob.objects.filter(artifact__project=project)
            .values_list("blob_id")
            .annotate(number=Count("artifact_id"))
        )
        recorded = dict(ProjectBlob.objects.filter(project=project).values_list("blob_id", "refs"))
        if counted != recorded:
            wrong = sorted(set(counted.items()) ^ set(recorded.items()))[:5]
            yield Finding(True, project.name, f"references are miscounted, among them blobs {wrong}")


def _storage() -> Iterator[Finding]:
    """What is in storage and nothing names."""
    store = storage.backend()
    for path, size in store.walk(f"{storage.ROOT}/blobs"):
        match = _DATA.fullmatch(path)
        if match is None:
            yield Finding(False, path, f"{size} bytes that are no blob")
        elif not Blob.objects.filter(digest=f"{match[1]}:{match[2]}").exists():
            yield Finding(False, f"{match[1]}:{match[2]}", f"{size} bytes the database does not know")
    for path, _ in store.walk(f"{storage.ROOT}/repositories"):
        yield from _repository_file(path)


def _repository_file(path: str) -> Iterator[Finding]:
    if match := _LAYER.fullmatch(path):
        links = RepositoryBlob.objects.filter(repository_name=match[1], blob__digest=f"{match[2]}:{match[3]}")
        if not links.exists():
            yield Finding(False, path, "a link the database does not know")
    elif match := _REVISION.fullmatch(path):
        artifacts = Artifact.objects.filter(repository__name=match[1], digest=f"{match[2]}:{match[3]}")
        if not artifacts.exists():
            yield Finding(False, path, "a manifest revision that is no artifact")
    elif (match := _UPLOAD.fullmatch(path)) and not Upload.objects.filter(pk=match[2]).exists():
        yield Finding(False, path, "an upload session that was abandoned")
