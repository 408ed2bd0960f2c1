"""The rows of a manifest whose bytes are in storage: what a push, a copy and a restore have in common."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone

from harbor_core.lib import sql, storage
from harbor_core.lib.batches import ROWS
from harbor_core.lib.errors import HarborError
from projects.manifests import icons, kinds
from projects.manifests.parse import Manifest, config_extract, custom_config
from projects.models import Accessory, Artifact, ArtifactBlob, ArtifactReference, Repository
from projects.services import blobs as blob_service
from projects.services import quota

_HOLD_BLOBS = f"""
    SELECT b.id, l.id FROM harbor_projects_blob b
    JOIN harbor_projects_repositoryblob l ON l.blob_id = b.id AND l.repository_name = %s AND l.blob_id IN ({{marks}})
    WHERE b.id IN ({{marks}}) AND {blob_service.IS_LIVE} ORDER BY b.id
"""
_ARTIFACT = "SELECT 1 FROM harbor_projects_artifact WHERE repository_id = %s AND digest = %s"
_WAITING_ACCESSORIES = """
    UPDATE harbor_projects_accessory SET subject_id = %s
    WHERE repository_id = %s AND subject_digest = %s AND subject_id IS NULL
"""
CONFIG_READ_MAX = 4 * 1024 * 1024
CUSTOM_CONFIG_MAX = 256 * 1024  # shown whole, in every listing


@dataclass(frozen=True, slots=True)
class Content:
    """A manifest with all it names, read and checked against storage. ``children`` lacks those that are absent."""

    project_id: int
    repository: str
    digest: str
    content: bytes
    manifest: Manifest
    own_blob: int  # row id of the manifest's own bytes
    blobs: dict[str, tuple[int, int]]  # digest -> (row id, bytes in storage)
    children: dict[str, Artifact]
    extra_attrs: dict[str, Any]
    # Blob row -> row of its link as it was before storage was looked at: another row is another upload's, whose link
    # may not be in storage yet.
    links: dict[int, int] = field(default_factory=dict)
    left_out: bool = False  # absent children were left out on purpose

    @property
    def size(self) -> int:
        """Manifest, config and layers in bytes (a layer named twice counts once); an index adds its children."""
        return (
            len(self.content)
            + sum(size for _, size in self.blobs.values())
            + sum(child.size for child in self.children.values())
        )


def extra_attrs(manifest: Manifest) -> dict[str, Any]:
    """What listings show of the config, read from storage: of an image the main fields, of a chart and whatever else
    all of it but what it says to leave out. Raises SERVICE_UNAVAILABLE."""
    config = manifest.config
    limit = CONFIG_READ_MAX if kinds.is_image(manifest) else CUSTOM_CONFIG_MAX
    if config is None or config.size > limit or kinds.is_empty_config(manifest):
        return {}
    content = _read(config.digest)
    return config_extract(content) if kinds.is_image(manifest) else custom_config(content, config)


def icon(manifest: Manifest) -> str:
    """Digest of the layer that is the artifact's icon, empty when it has none that can be shown. Raises
    SERVICE_UNAVAILABLE."""
    layer = None if kinds.is_image(manifest) else icons.layer_of(manifest)
    return layer.digest if layer and icons.image_type(_read(layer.digest)) else ""


def _read(digest: str) -> bytes:
    try:
        return storage.read_blob(digest)
    except OSError as exc:
        raise HarborError("SERVICE_UNAVAILABLE", "the storage cannot be read", headers={"Retry-After": "5"}) from exc


def hold_blobs(repository: str, blob_ids: Iterable[int]) -> dict[int, int]:
    """Keep these blobs, and their links into the repository, as they are until commit: a deletion waits for us, or we
    see that it came first. Returns those that are still there, each with the id of its link.

    Whoever deletes locks the row first and looks for references after that, in a statement of its own.
    """
    ids = sorted(blob_ids)
    share = " FOR SHARE OF b FOR KEY SHARE OF l" if connection.vendor == "postgresql" else ""
    return dict(sql.fetch_all(_HOLD_BLOBS.format(marks=sql.marks(ids)) + share, [repository, *ids, *ids]))


def record_artifact(
    content: Content, repository: Repository, *, push_time: datetime | None = None
) -> tuple[Artifact, int, bool]:
    """The artifact row with all it names, inside the caller's transaction and hold. One that is there is only pushed
    again. Returns it, the bytes that are new to the project (to be charged), and whether it is new."""
    if sql.fetch_one(_ARTIFACT, [repository.pk, content.digest]):
        artifact = Artifact.objects.defer("manifest").get(repository=repository, digest=content.digest)
        Artifact.objects.filter(pk=artifact.pk).update(push_time=timezone.now())
        return artifact, 0, False
    manifest = content.manifest
    artifact = Artifact.objects.create(
        project_id=repository.project_id,
        repository=repository,
        digest=content.digest,
        type=kinds.artifact_kind(manifest),
        media_type=kinds.media_type_of(manifest),
        manifest_media_type=manifest.media_type,
        artifact_type=manifest.artifact_type,
        size=content.size,
        manifest=content.content,
        subject_digest=manifest.subject.digest if manifest.subject else "",
        annotations=manifest.annotations,
        extra_attrs=content.extra_attrs,
        icon=icon(manifest),
        push_time=push_time or timezone.now(),
    )
    references = (
        ArtifactReference(
            parent=artifact,
            child=content.children.get(child.digest),
            child_digest=child.digest,
            position=position,
            platform=child.platform,
            annotations=child.annotations,
            urls=child.urls,
            left_out=content.left_out and child.digest not in content.children,
        )
        for position, child in enumerate(manifest.children)
    )
    ArtifactReference.objects.bulk_create(references, batch_size=ROWS)
    every = {content.own_blob: len(content.content)} | dict(content.blobs.values())
    ArtifactBlob.objects.bulk_create(
        (ArtifactBlob(artifact=artifact, blob_id=row) for row in sorted(every)), batch_size=ROWS
    )
    blob_service.set_sizes(every)
    return artifact, quota.refer(repository.project_id, every.items()), True


def join(content: Content, repository: Repository, artifact: Artifact) -> set[int]:
    """A new artifact may be the child that indexes of its repository came without (those of a proxy cache, or some
    platforms), or such an index, children of which came meanwhile. Returns who that concerns.

    For a caller who holds the repository's row until the end: of an index and a child that come at once, whoever holds
    it later sees the other.
    """
    concerned = _join_parents(repository, artifact)
    absent = {child.digest for child in content.manifest.children} - content.children.keys()
    for child in Artifact.objects.filter(repository=repository, digest__in=absent).only("digest", "size"):
        concerned |= _join_parents(repository, child)
    return concerned


def _join_parents(repository: Repository, artifact: Artifact) -> set[int]:
    waiting = ArtifactReference.objects.filter(parent__repository=repository, child=None, child_digest=artifact.digest)
    parents = set(waiting.values_list("parent_id", flat=True))
    if not parents:
        return set()
    waiting.update(child=artifact, left_out=False)
    Artifact.objects.filter(pk__in=parents).update(size=F("size") + artifact.size)
    return parents | {artifact.pk}


def record_accessory(content: Content, repository: Repository, artifact: Artifact, tags: Iterable[str]) -> None:
    """Register this artifact, which bears these tags, as somebody's accessory, and link accessories that waited for
    it."""
    found = next(filter(None, (kinds.accessory_of(content.manifest, tag) for tag in (*tags, ""))), None)
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
        Artifact.objects.filter(pk=artifact.pk).update(listed=False)
    sql.execute(_WAITING_ACCESSORIES, [artifact.pk, repository.pk, content.digest])
