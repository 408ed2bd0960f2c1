"""Remove artifacts: into the trash, where there is one. Their bytes stay in storage until garbage collection finds that
nothing names them."""

from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from auth.actor import Actor
from harbor_core.lib.batches import batched
from harbor_core.lib.errors import HarborError
from harbor_core.lib.races import settled
from harbor_core.services import audit
from projects.models import Accessory, Artifact, ArtifactBlob, ArtifactReference, Blob, Repository
from projects.services import quota, tags, trash, visibility
from projects.services.hold import hold_project

BATCH = 200


def delete(actor: Actor, artifact: Artifact) -> None:
    """Delete an artifact with its tags and accessories, then children of an index that nothing else names.

    Raises VIOLATE_FOREIGN_KEY_CONSTRAINT (412) while an index names it, PRECONDITION when a tag is immutable.
    """
    settled(lambda: _delete(actor, artifact))


@transaction.atomic
def _delete(actor: Actor, artifact: Artifact) -> None:
    hold_project(artifact.project_id)
    locked = Artifact.objects.select_for_update().defer("manifest").filter(pk=artifact.pk).first()
    if locked is None:
        raise HarborError("NOT_FOUND", f"artifact {artifact.digest} not found")
    if ArtifactReference.objects.filter(child=locked).exists():
        raise HarborError(
            "VIOLATE_FOREIGN_KEY_CONSTRAINT",
            f"artifact {locked.digest} is part of an index; delete the index first",
        )
    repository = locked.repository
    doomed = _with_companions(locked)
    children = set(
        ArtifactReference.objects.filter(parent_id__in=doomed, child__isnull=False).values_list("child_id", flat=True)
    )
    # Those to nothing go with their artifacts; until then the trash sees which were left out on purpose.
    ArtifactReference.objects.filter(parent_id__in=doomed, child__isnull=False).delete()
    gone = _remove(actor, repository, doomed, dict.fromkeys(doomed, locked.pk))
    visibility.refresh(children - set(doomed))
    visibility.changed(repository.pk)
    audit.record(actor, "delete", "artifact", f"{repository.name}@{locked.digest}", project_id=repository.project_id)
    audit.emit(
        actor,
        "DELETE_ARTIFACT",
        project_id=repository.project_id,
        repository=repository.name,
        digest=locked.digest,
        tags=gone.get(locked.pk, []),
    )


def _with_companions(root: Artifact) -> list[int]:
    """Ids of the artifact and of all that goes with it, locked: accessories, and children of an index that have no tag
    and that nothing else names. The artifact comes first."""
    doomed, wave = [root.pk], [root.pk]
    while wave:
        attached = Artifact.objects.filter(accessory__subject_id__in=wave)
        children = Artifact.objects.filter(parents__parent_id__in=wave)
        wanted = {*attached.values_list("pk", flat=True), *children.values_list("pk", flat=True)} - set(doomed)
        # Locked before they are judged, so that two deletions do not both leave a child to the other.
        locked = list(
            Artifact.objects.select_for_update().filter(pk__in=wanted).order_by("pk").values_list("pk", flat=True)
        )
        free = Artifact.objects.filter(pk__in=locked).exclude(
            Exists(ArtifactReference.objects.filter(child=OuterRef("pk")).exclude(parent_id__in=doomed))
        )
        accessories = free.filter(accessory__subject_id__in=wave)
        orphans = free.filter(tags__isnull=True, accessory__isnull=True)
        wave = sorted({*accessories.values_list("pk", flat=True), *orphans.values_list("pk", flat=True)})
        doomed += wave
    return doomed


def delete_all(actor: Actor, repository: Repository) -> None:
    """Remove every artifact of a repository that is being deleted, inside that transaction."""
    roots = _roots(repository)
    ids = sorted(roots, key=lambda pk: (roots[pk] != pk, pk))
    ArtifactReference.objects.filter(parent__repository=repository, child__isnull=False).delete()
    _remove(actor, repository, ids, roots)


def _roots(repository: Repository) -> dict[int, int]:
    """Every artifact of the repository -> the one that takes it along into the trash, and back from there: the subject
    of an accessory, the first index that names an untagged child, else itself."""
    artifacts = Artifact.objects.filter(repository=repository)
    above = dict(
        ArtifactReference.objects.filter(child__in=artifacts.filter(tags__isnull=True))
        .order_by("-parent_id")
        .values_list("child_id", "parent_id")
    )
    subjects = Accessory.objects.filter(artifact__in=artifacts, subject__isnull=False)
    above |= dict(subjects.values_list("artifact_id", "subject_id"))
    roots = {}
    for pk in artifacts.values_list("pk", flat=True):
        root, seen = pk, {pk}
        while root in above and above[root] not in seen:
            root = above[root]
            seen.add(root)
        roots[pk] = pk if root in above else root  # in a circle each stands for itself
    return roots


def _remove(actor: Actor, repository: Repository, ids: Iterable[int], roots: Mapping[int, int]) -> dict[int, list[str]]:
    """Delete these artifacts, roots first, with all that hangs on them, and give their storage back. Returns the tags
    that went, by artifact id."""
    freed = 0
    gone: dict[int, list[str]] = {}
    kept: dict[int, int] = {}
    for batch in batched(ids, BATCH):
        rows = Artifact.objects.filter(pk__in=batch).order_by("pk")
        artifacts = list(rows if trash.is_on() else rows.defer("manifest"))
        tags_gone = tags.forget_all(actor, repository, artifacts)
        named = ArtifactBlob.objects.filter(artifact_id__in=batch)
        blobs = list(named.order_by("pk").values_list("artifact_id", "blob_id", "blob__size"))
        if trash.is_on():
            pairs = [(artifact_id, blob_id) for artifact_id, blob_id, _ in blobs]
            trash.keep(actor, repository, artifacts, roots=roots, kept=kept, tags=tags_gone, blobs=pairs)
        Accessory.objects.filter(subject_id__in=batch).update(subject=None)
        Artifact.objects.filter(pk__in=batch).defer("manifest").delete()
        freed += quota.release(repository.project_id, [(blob_id, size or 0) for _, blob_id, size in blobs])
        _age(blob_id for _, blob_id, _ in blobs)
        gone |= tags_gone
    quota.charge(repository.project_id, -freed)
    return gone


def _age(blob_ids: Iterable[int]) -> None:
    """What no artifact names any more starts to age now, not when it was pushed. Those that a push holds are passed
    over: it is about to name them."""
    for batch in batched(sorted(set(blob_ids))):
        idle = Blob.objects.select_for_update(skip_locked=True).filter(
            ~Exists(ArtifactBlob.objects.filter(blob=OuterRef("pk"))), pk__in=batch
        )
        Blob.objects.filter(pk__in=list(idle.values_list("pk", flat=True))).update(touched_at=timezone.now())
