"""The trash: deleted artifacts stay restorable for a while (projects.services.restore brings them back).

What is in it keeps its blobs in storage (TrashedBlob is a reference for garbage collection) and counts towards no
quota. With ``trash_retention_days`` 0 there is no trash: what is deleted is gone.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from auth.actor import Actor
from harbor_core.lib.batches import ROWS
from harbor_core.lib.errors import HarborError
from harbor_core.lib.races import settled
from harbor_core.services import audit
from harbor_core.services.config import config_get
from projects.models import Artifact, ArtifactLabel, ArtifactReference, Repository, TrashedArtifact, TrashedBlob

BATCH = 200


def is_on() -> bool:
    return bool(config_get("trash_retention_days"))


def keep(
    actor: Actor,
    repository: Repository,
    artifacts: Sequence[Artifact],
    *,
    roots: Mapping[int, int],
    kept: dict[int, int],
    tags: Mapping[int, list[str]],
    blobs: Iterable[tuple[int, int]],
) -> None:
    """Put artifacts that are being deleted into the trash, inside the transaction that deletes them.

    ``roots``: artifact id -> the artifact whose deletion takes it along (itself); a root comes in the same call or an
    earlier one. ``kept`` collects artifact id -> row id. ``tags`` are names by artifact id, ``blobs`` pairs of artifact
    id and blob id.
    """
    labels: dict[int, list[int]] = {}
    on_them = ArtifactLabel.objects.filter(artifact_id__in=[artifact.pk for artifact in artifacts])
    for artifact_id, label_id in on_them.order_by("pk").values_list("artifact_id", "label_id"):
        labels.setdefault(artifact_id, []).append(label_id)
    lacking = ArtifactReference.objects.filter(parent_id__in=[artifact.pk for artifact in artifacts], left_out=True)
    sparse = set(lacking.values_list("parent_id", flat=True))
    expires = timezone.now() + timedelta(days=config_get("trash_retention_days"))

    def row(artifact: Artifact) -> TrashedArtifact:
        root = roots[artifact.pk]
        return TrashedArtifact(
            project_id=repository.project_id,
            repository_name=repository.name,
            root_id=None if root == artifact.pk else kept[root],
            digest=artifact.digest,
            type=artifact.type,
            manifest_media_type=artifact.manifest_media_type,
            manifest=artifact.manifest,
            size=artifact.size,
            tags=tags.get(artifact.pk, []),
            labels=labels.get(artifact.pk, []),
            push_time=artifact.push_time,
            pull_time=artifact.pull_time,
            sparse=artifact.pk in sparse,
            operator=actor.name,
            expires_at=expires,
        )

    ids = {artifact.digest: artifact.pk for artifact in artifacts}
    earlier = _earlier(repository, list(ids))
    for is_root in (True, False):
        wave = [artifact for artifact in artifacts if (roots[artifact.pk] == artifact.pk) is is_root]
        for artifact, made in zip(wave, TrashedArtifact.objects.bulk_create(map(row, wave)), strict=True):
            kept[artifact.pk] = made.pk
    references = (TrashedBlob(trashed_id=kept[artifact_id], blob_id=blob_id) for artifact_id, blob_id in blobs)
    TrashedBlob.objects.bulk_create(references, batch_size=ROWS)
    for old_id, digest in earlier:
        _replace(old_id, kept[roots[ids[digest]]])


def _earlier(repository: Repository, digests: list[str]) -> list[tuple[int, str]]:
    """Rows of the same artifacts from before they were pushed again and deleted again."""
    rows = TrashedArtifact.objects.filter(
        project_id=repository.project_id, repository_name=repository.name, digest__in=digests
    )
    return list(rows.order_by("pk").values_list("pk", "digest"))


def _replace(old_id: int, root_id: int) -> None:
    """One row per artifact is enough. What went along with the earlier deletion goes with the new one."""
    TrashedArtifact.objects.filter(root_id=old_id).update(root_id=root_id)
    TrashedArtifact.objects.filter(pk=old_id).delete()


def discard(actor: Actor, project_id: int, trash_id: int) -> None:
    """Remove one deleted artifact for good, with what went along with it. Raises NOT_FOUND."""
    with transaction.atomic():
        rows = TrashedArtifact.objects.select_for_update().defer("manifest")
        found = rows.filter(pk=trash_id, project_id=project_id).first()
        if found is None:
            raise HarborError("NOT_FOUND", f"there is no {trash_id} in the trash of this project")
        found.delete()
        _tell(actor, project_id, f"{found.repository_name}@{found.digest}")


def empty(actor: Actor, project_id: int, project_name: str) -> int:
    """Remove for good whatever is in the trash of a project now. Returns how many artifacts that were."""
    rows = TrashedArtifact.objects.filter(project_id=project_id, deleted_at__lte=timezone.now())
    removed = _remove(rows)
    with transaction.atomic():
        _tell(actor, project_id, project_name)
    return removed


def _tell(actor: Actor, project_id: int, resource: str) -> None:
    audit.record(actor, "delete", "trash", resource, project_id=project_id)


def purge_expired() -> int:
    """Remove for good what has been in the trash for its time. Returns how many artifacts."""
    return _remove(TrashedArtifact.objects.filter(expires_at__lte=timezone.now()))


def remove_all() -> int:
    """Remove for good whatever is in the trash of any project now. Returns how many artifacts."""
    return _remove(TrashedArtifact.objects.filter(deleted_at__lte=timezone.now()))


def _remove(rows: QuerySet[TrashedArtifact]) -> int:
    """In batches. A row that somebody is restoring is left to them."""

    @transaction.atomic
    def batch() -> int:
        free = rows.select_for_update(skip_locked=True).order_by("expires_at", "pk")[:BATCH]
        ids = list(free.values_list("pk", flat=True))
        TrashedArtifact.objects.filter(pk__in=ids).defer("manifest").delete()
        return len(ids)

    removed = count = settled(batch)
    while count == BATCH:
        count = settled(batch)
        removed += count
    return removed
