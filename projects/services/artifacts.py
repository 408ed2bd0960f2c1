"""Remove artifacts. Their bytes stay in storage until garbage collection finds that nothing names them."""

from django.db import transaction
from django.utils import timezone

from auth.actor import Actor
from harbor_core.lib.errors import HarborError
from harbor_core.services import audit
from projects.models import Accessory, Artifact, ArtifactBlob, ArtifactReference, Blob
from projects.services import quota, tags, visibility


def delete(actor: Actor, artifact: Artifact) -> None:
    """Delete an artifact with its tags and accessories, then children of an index that nothing else names.

    Raises VIOLATE_FOREIGN_KEY_CONSTRAINT (412) while an index names it.
    """
    with transaction.atomic():
        locked = Artifact.objects.select_for_update().defer("manifest").filter(pk=artifact.pk).first()
        if locked is None:
            raise HarborError("NOT_FOUND", f"artifact {artifact.digest} not found")
        if ArtifactReference.objects.filter(child=locked).exists():
            raise HarborError(
                "VIOLATE_FOREIGN_KEY_CONSTRAINT",
                f"artifact {locked.digest} is part of an index; delete the index first",
            )
        repository = locked.repository
        removed = _remove(actor, locked)
        visibility.changed(repository.pk)
        audit.record(
            actor, "delete", "artifact", f"{repository.name}@{locked.digest}", project_id=repository.project_id
        )
        audit.emit(
            actor,
            "DELETE_ARTIFACT",
            project_id=repository.project_id,
            repository=repository.name,
            digest=locked.digest,
            tags=removed,
        )


def _remove(actor: Actor, artifact: Artifact) -> list[str]:
    """Rows of the artifact, its accessories, and its orphaned untagged children. Returns the tags that went."""
    children = list(
        ArtifactReference.objects.filter(parent=artifact, child__isnull=False).values_list("child_id", flat=True)
    )
    for accessory in Accessory.objects.filter(subject=artifact).select_related("artifact").order_by("pk"):
        _remove(actor, accessory.artifact)
    gone = remove_rows(actor, artifact)
    orphans = (
        Artifact.objects.filter(pk__in=children, tags__isnull=True, parents__isnull=True, accessory__isnull=True)
        .defer("manifest")
        .distinct()
    )
    for child in orphans:
        _remove(actor, child)
    visibility.refresh(children)
    return gone


def remove_rows(actor: Actor, artifact: Artifact) -> list[str]:
    """Delete one artifact row with all that hangs on it and give its storage back. Returns the tags that went."""
    gone = tags.forget_all(actor, artifact)
    blobs = list(ArtifactBlob.objects.filter(artifact=artifact).values_list("blob_id", "blob__size"))
    Accessory.objects.filter(subject=artifact).update(subject=None)
    freed = quota.release(artifact.project_id, [(pk, size or 0) for pk, size in blobs])
    artifact.delete()
    # What nothing names any more starts to age now, not when it was pushed.
    Blob.objects.filter(pk__in=[pk for pk, _ in blobs], artifacts__isnull=True).update(touched_at=timezone.now())
    quota.charge(artifact.project_id, -freed)
    return gone
