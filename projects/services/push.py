"""A manifest arrives: storage first, then one transaction with everything the push means.

After a crash between the two there is at most a manifest in storage that nothing names; pushing again repairs it.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from auth.actor import Actor
from harbor_core.lib import names, sql, storage
from harbor_core.lib.batches import ROWS
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from projects.access import ProjectAccess
from projects.manifests import kinds
from projects.manifests.parse import Descriptor, Manifest, config_extract, parse
from projects.models import Accessory, Artifact, ArtifactBlob, ArtifactReference, Repository
from projects.services import blobs as blob_service
from projects.services import quota, repositories, tags, visibility

_LIVE_BLOBS = "SELECT digest, id FROM harbor_projects_blob WHERE digest IN ({marks}) AND state = 'live'"
_HOLD_PROJECT = "SELECT 1 FROM harbor_projects_project WHERE id = %s AND NOT deleted"
_HOLD_BLOBS = "SELECT id FROM harbor_projects_blob WHERE id IN ({marks}) AND state = 'live' ORDER BY id"
_ARTIFACT = "SELECT 1 FROM harbor_projects_artifact WHERE repository_id = %s AND digest = %s"
_WAITING_ACCESSORIES = """
    UPDATE harbor_projects_accessory SET subject_id = %s
    WHERE repository_id = %s AND subject_digest = %s AND subject_id IS NULL
"""
ATTEMPTS = 3
CONFIG_READ_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pushed:
    digest: str
    subject: str  # digest of the manifest's subject, empty when it has none


@dataclass(frozen=True, slots=True)
class _Push:
    """One push, read and checked against storage: nothing here can fail for the client's fault any more."""

    actor: Actor
    project: ProjectAccess
    repository: str
    tag: str
    digest: str
    content: bytes
    manifest: Manifest
    blobs: dict[str, tuple[int, int]]  # digest -> (row id, bytes in storage)
    children: dict[str, Artifact]
    extra_attrs: dict[str, Any]


def manifest_push(
    actor: Actor, project: ProjectAccess, repository: str, reference: str, content: bytes, content_type: str
) -> Pushed:
    """Store a manifest under a tag or its digest. Repeating it changes nothing but push times.

    Raises MANIFEST_INVALID, DIGEST_INVALID, TAG_INVALID, MANIFEST_BLOB_UNKNOWN, DENIED (quota), SERVICE_UNAVAILABLE.
    """
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    tag = _tag(reference, digest)
    manifest = parse(content, content_type)
    push = _Push(
        actor=actor,
        project=project,
        repository=repository,
        tag=tag,
        digest=digest,
        content=content,
        manifest=manifest,
        blobs=_stored_blobs(repository, manifest.blobs),
        children=_stored_children(repository, manifest.children),
        extra_attrs=_extra_attrs(manifest),
    )
    own_blob = blob_service.lease(repository, digest)
    try:
        storage.put_manifest(repository, digest, content)
    except OSError as exc:
        raise HarborError("SERVICE_UNAVAILABLE", "the storage cannot be written", headers={"Retry-After": "5"}) from exc
    for attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                _record(push, own_blob)
            break
        except (IntegrityError, DatabaseError, Artifact.DoesNotExist, Repository.DoesNotExist):
            # Lost a race (same digest, same tag, repository being deleted, deadlock): what it left is the new start.
            if attempt == ATTEMPTS - 1:
                raise
    return Pushed(digest, manifest.subject.digest if manifest.subject else "")


def _tag(reference: str, digest: str) -> str:
    """The tag of a push by tag, empty for one by digest."""
    if names.looks_like_digest(reference):
        if not names.is_digest(reference):
            raise HarborError("DIGEST_INVALID", "only sha256 digests are supported", detail=reference[:200])
        if reference != digest:
            raise HarborError("DIGEST_INVALID", "the manifest does not have this digest", detail=digest)
        return ""
    if not names.is_tag(reference):
        raise HarborError("TAG_INVALID", detail=reference[:200])
    return reference


def _unknown(missing: list[str]) -> HarborError:
    return HarborError("MANIFEST_BLOB_UNKNOWN", detail={"digests": missing[:20]})


def _stored_blobs(repository: str, wanted: list[Descriptor]) -> dict[str, tuple[int, int]]:
    digests = [item.digest for item in wanted]
    if not digests:
        return {}
    rows = dict(sql.fetch_all(_LIVE_BLOBS.format(marks=sql.marks(digests)), digests))
    sizes = storage.linked_sizes(repository, [digest for digest in digests if digest in rows])
    missing = [digest for digest in digests if sizes.get(digest) is None]
    if missing:
        raise _unknown(missing)
    for item in wanted:
        if sizes[item.digest] != item.size:
            raise HarborError(
                "MANIFEST_INVALID", f"{item.digest} has {sizes[item.digest]} bytes, the manifest says {item.size}"
            )
    return {digest: (rows[digest], size) for digest, size in sizes.items() if size is not None}


def _stored_children(repository: str, wanted: list[Descriptor]) -> dict[str, Artifact]:
    """Children of an index that are here; all must be."""
    if not wanted:
        return {}
    digests = {item.digest for item in wanted}
    found = {
        child.digest: child
        for child in Artifact.objects.filter(repository__name=repository, digest__in=digests).only(
            "digest", "size", "manifest"
        )
    }
    missing = sorted(digests - found.keys())
    if missing:
        raise _unknown(missing)
    for item in wanted:
        length = len(bytes(found[item.digest].manifest))
        if length != item.size:
            raise HarborError("MANIFEST_INVALID", f"{item.digest} has {length} bytes, the index says {item.size}")
    return found


def _extra_attrs(manifest: Manifest) -> dict[str, Any]:
    config = manifest.config
    if config is None or config.size > CONFIG_READ_MAX or kinds.is_empty_config(manifest):
        return {}
    try:
        return config_extract(storage.read_blob(config.digest))
    except OSError as exc:
        raise HarborError("SERVICE_UNAVAILABLE", "the storage cannot be read", headers={"Retry-After": "5"}) from exc


def _hold(push: _Push) -> None:
    """Keep project and blobs as they are until commit: a deletion waits for us, or we see that it came first.

    Whoever deletes locks the row first and looks for references after that, in a statement of its own.
    """
    ids = sorted(row for row, _ in push.blobs.values())
    share = " FOR SHARE" if connection.vendor == "postgresql" else ""
    if not sql.fetch_one(_HOLD_PROJECT + share, [push.project.project_id]):
        raise HarborError("NAME_UNKNOWN", "the project has just been deleted")
    if not ids:
        return
    held = {row for (row,) in sql.fetch_all(_HOLD_BLOBS.format(marks=sql.marks(ids)) + share, ids)}
    if len(held) != len(ids):
        raise _unknown([digest for digest, (row, _) in push.blobs.items() if row not in held])


def _record(push: _Push, own_blob: int) -> None:
    _hold(push)
    repository, new_repository = repositories.ensure(push.project.project_id, push.repository)
    artifact, added, is_new = _artifact(push, repository, own_blob)
    affected = {child.pk for child in push.children.values()}
    if not (is_new and push.tag):  # a new one with a tag is listed to begin with
        affected.add(artifact.pk)
    _accessory(push, repository, artifact)
    if push.tag:
        move = tags.put(push.actor, repository.pk, push.tag, artifact)
        affected |= {move.old_artifact_id} if move.old_artifact_id else set()
    visibility.refresh(affected)
    blob_service.forget_uploads(push.repository, list(push.blobs))
    if new_repository:
        audit.record(push.actor, "create", "repository", repository.name, project_id=repository.project_id)
    reference = f":{push.tag}" if push.tag else f"@{push.digest}"
    audit.record(push.actor, "create", "artifact", f"{repository.name}{reference}", project_id=repository.project_id)
    audit.emit(
        push.actor,
        "PUSH_ARTIFACT",
        project_id=repository.project_id,
        repository=repository.name,
        digest=push.digest,
        tag=push.tag,
        artifact_type=artifact.type,
    )
    visibility.changed(repository.pk)
    quota.charge(repository.project_id, added)


def _artifact(push: _Push, repository: Repository, own_blob: int) -> tuple[Artifact, int, bool]:
    """The artifact row with all it names. Returns it, the bytes that are new to the project, and whether it is new."""
    if sql.fetch_one(_ARTIFACT, [repository.pk, push.digest]):
        artifact = Artifact.objects.defer("manifest").get(repository=repository, digest=push.digest)
        Artifact.objects.filter(pk=artifact.pk).update(push_time=timezone.now())
        return artifact, 0, False
    manifest = push.manifest
    artifact = Artifact.objects.create(
        project_id=repository.project_id,
        repository=repository,
        digest=push.digest,
        type=kinds.artifact_kind(manifest),
        media_type=kinds.media_type_of(manifest),
        manifest_media_type=manifest.media_type,
        artifact_type=manifest.artifact_type,
        size=_size(push),
        manifest=push.content,
        subject_digest=manifest.subject.digest if manifest.subject else "",
        annotations=manifest.annotations,
        extra_attrs=push.extra_attrs,
    )
    references = (
        ArtifactReference(
            parent=artifact,
            child=push.children[child.digest],
            child_digest=child.digest,
            position=position,
            platform=child.platform,
            annotations=child.annotations,
            urls=child.urls,
        )
        for position, child in enumerate(manifest.children)
    )
    ArtifactReference.objects.bulk_create(references, batch_size=ROWS)
    every = {own_blob: len(push.content)} | dict(push.blobs.values())
    ArtifactBlob.objects.bulk_create(
        (ArtifactBlob(artifact=artifact, blob_id=row) for row in sorted(every)), batch_size=ROWS
    )
    blob_service.set_sizes(every)
    return artifact, quota.refer(repository.project_id, every.items()), True


def _size(push: _Push) -> int:
    """Manifest, config and layers in bytes (a layer named twice counts once); an index adds its children."""
    return (
        len(push.content)
        + sum(size for _, size in push.blobs.values())
        + sum(child.size for child in push.children.values())
    )


def _accessory(push: _Push, repository: Repository, artifact: Artifact) -> None:
    """Register this artifact as somebody's accessory, and link accessories that waited for it."""
    found = kinds.accessory_of(push.manifest, push.tag)
    if found is not None:
        kind, subject_digest = found
        subject = Artifact.objects.filter(repository=repository, digest=subject_digest).only("pk").first()
        Accessory.objects.update_or_create(
            artifact=artifact,
            defaults={
                "subject": subject,
                "repository": repository,
                "subject_digest": subject_digest,
                "type": kind,
            },
        )
    sql.execute(_WAITING_ACCESSORIES, [artifact.pk, repository.pk, push.digest])
