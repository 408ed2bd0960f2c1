"""Bring artifacts back from the trash: storage first, then one transaction, as a push does.

Where the repository was deleted its tree in storage went with it, so that nobody can read old bytes through it. The
bytes themselves are held by the trash: a restore links them again.
"""

from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter

from django.db import transaction
from django.db.models import Q

from auth.actor import Actor
from harbor_core.lib import storage
from harbor_core.lib.errors import HarborError
from harbor_core.lib.races import Lost, settled
from harbor_core.services import audit
from projects.access import ProjectAccess
from projects.manifests.parse import parse
from projects.models import Artifact, ArtifactLabel, Blob, Label, Repository, TrashedArtifact
from projects.services import blobs as blob_service
from projects.services import quota, recording, repositories, tags, visibility
from projects.services.hold import hold_project
from projects.services.recording import Content


@dataclass(slots=True)
class Restored:
    """What came back. ``taken`` are tags that belong to other artifacts by now and stayed with them; ``companions``
    are the digests of what came along: accessories, children of an index."""

    repository: str
    digest: str
    tags: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    companions: list[str] = field(default_factory=list)


def restore(actor: Actor, project: ProjectAccess, trash_id: int) -> Restored:
    """Record a deleted artifact again with its tags (those that are free), labels, accessories and children; its
    repository is made again if need be. What was pushed again meanwhile only gets its tags and labels back.

    Raises NOT_FOUND, DENIED (quota), PRECONDITION when something it needs is gone for good, SERVICE_UNAVAILABLE.
    """

    def attempt() -> Restored:
        rows = _rows(project, trash_id)
        name = rows[-1].repository_name
        before = repositories.current_id(name)
        _check_room(actor, project, rows)
        contents = [_store(project, row) for row in rows]
        with transaction.atomic():
            return _record(actor, project, trash_id, list(zip(rows, contents, strict=True)), before)

    row = TrashedArtifact.objects.filter(pk=trash_id, project_id=project.project_id).only("repository_name").first()
    if row is None:
        raise _missing(trash_id)
    with quota.refusals_told(actor, project.project_id, row.repository_name):
        return settled(attempt)


def _missing(trash_id: int) -> HarborError:
    return HarborError("NOT_FOUND", f"there is no {trash_id} in the trash of this project")


def _rows(project: ProjectAccess, trash_id: int) -> list[TrashedArtifact]:
    """The row asked for, what went along with it, and children in the trash that its indexes need: children before
    the indexes that name them. Raises NOT_FOUND, PRECONDITION."""
    mine = TrashedArtifact.objects.filter(project_id=project.project_id)
    found = {row.digest: row for row in mine.filter(Q(pk=trash_id) | Q(root_id=trash_id)).order_by("pk")}
    if all(row.pk != trash_id for row in found.values()):
        raise _missing(trash_id)
    name = next(iter(found.values())).repository_name
    graph: dict[str, set[str]] = {}
    may_lack: set[str] = set()
    while waiting := found.keys() - graph.keys():
        for digest in waiting:
            row = found[digest]
            manifest = parse(bytes(row.manifest), row.manifest_media_type)
            graph[digest] = {child.digest for child in manifest.children}
            if row.sparse:
                may_lack |= graph[digest]
        needed = {child for digest in waiting for child in graph[digest]} - found.keys()
        live = Artifact.objects.filter(repository__name=name, digest__in=needed).values_list("digest", flat=True)
        needed -= set(live)
        extra = mine.filter(repository_name=name, digest__in=needed).order_by("pk")
        found |= {row.digest: row for row in extra}
        gone = needed - found.keys() - may_lack
        if gone and not project.proxy:  # a proxy cache may hold an index without its children
            raise HarborError("PRECONDITION", f"{min(gone)}, which the index names, is gone for good")
    return [found[digest] for digest in TopologicalSorter(graph).static_order() if digest in found]


def _check_room(actor: Actor, project: ProjectAccess, rows: list[TrashedArtifact]) -> None:
    """What is sure to be refused, before anything is stored."""
    needed = Blob.objects.filter(trashed__trashed__in=[row.pk for row in rows]).distinct()
    new = needed.exclude(projects__project_id=project.project_id)
    adding = sum(size or 0 for size in new.values_list("size", flat=True))
    if adding:
        quota.check_room(project.project_id, adding, actor=actor, repository=rows[-1].repository_name)


def _store(project: ProjectAccess, row: TrashedArtifact) -> Content:
    """Manifest and links of the artifact, in storage. Leased first: what is linked is known to the database."""
    name, data = row.repository_name, bytes(row.manifest)
    manifest = parse(data, row.manifest_media_type)
    digests = [item.digest for item in manifest.blobs]
    leased = {digest: blob_service.lease(name, digest) for digest in digests}
    own_blob = blob_service.lease(name, row.digest, manifest=True)
    store = storage.backend()
    try:
        for digest, size in storage.linked_sizes(name, digests).items():
            if size is None:
                if store.size(storage.blob_path(digest)) is None:
                    raise HarborError("PRECONDITION", f"the bytes of {digest} are not in storage any more")
                storage.link_layer(name, digest)
        sizes = {digest: size or 0 for digest, size in storage.linked_sizes(name, digests).items()}
        storage.put_manifest(name, row.digest, data)
        attrs = recording.extra_attrs(manifest)
    except OSError as exc:
        raise HarborError("SERVICE_UNAVAILABLE", "the storage cannot be used", headers={"Retry-After": "5"}) from exc
    blobs = {digest: (leased[digest], sizes[digest]) for digest in digests}
    return Content(
        project.project_id, name, row.digest, data, manifest, own_blob, blobs, {}, attrs, left_out=row.sparse
    )


def _record(
    actor: Actor,
    project: ProjectAccess,
    trash_id: int,
    stored: list[tuple[TrashedArtifact, Content]],
    before: int | None,
) -> Restored:
    hold_project(project.project_id)
    ids = [row.pk for row, _ in stored]
    locked = TrashedArtifact.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    if len(locked.values_list("pk")) != len(ids):
        raise Lost("somebody else restored or removed a part of it")
    name = stored[0][0].repository_name
    repository, is_new = repositories.ensure(project.project_id, name)
    repositories.check_same(before, repository, is_new)
    if is_new:
        audit.record(actor, "create", "repository", name, project_id=project.project_id)
    result = Restored(name, next(row.digest for row, _ in stored if row.pk == trash_id))
    added, affected, recorded = 0, set(), []
    for row, content in stored:
        content = _with_children(project, repository, content)
        artifact, new_bytes = _record_one(repository, row, content)
        recorded.append((content, artifact))
        added += new_bytes
        affected |= {artifact.pk, *(child.pk for child in content.children.values())}
        _claim(actor, repository, row, artifact, result)
        if row.pk != trash_id:
            result.companions.append(row.digest)
    visibility.refresh(affected)
    visibility.changed(repository.pk)
    for content, artifact in recorded:
        visibility.refresh(recording.join(content, repository, artifact))
    TrashedArtifact.objects.filter(root_id__in=ids).exclude(pk__in=ids).update(root=None)
    TrashedArtifact.objects.filter(pk__in=ids).defer("manifest").delete()
    quota.charge(project.project_id, added, actor=actor, repository=name)
    return result


def _with_children(project: ProjectAccess, repository: Repository, content: Content) -> Content:
    wanted = {child.digest for child in content.manifest.children}
    here = Artifact.objects.filter(repository=repository, digest__in=wanted).only("digest", "size")
    children = {child.digest: child for child in here}
    if wanted - children.keys() and not project.proxy and not content.left_out:
        raise Lost("a child was deleted meanwhile")
    return replace(content, children=children)


def _record_one(repository: Repository, row: TrashedArtifact, content: Content) -> tuple[Artifact, int]:
    """The artifact, and the bytes that are new to the project: none when it was pushed again meanwhile."""
    artifact = Artifact.objects.defer("manifest").filter(repository=repository, digest=row.digest).first()
    added = 0
    if artifact is None:
        blobs = {content.own_blob, *(blob_id for blob_id, _ in content.blobs.values())}
        if recording.hold_blobs(repository.name, blobs).keys() != blobs:
            raise Lost("a blob was collected, or the repository deleted, after it was linked")
        artifact, added, _ = recording.record_artifact(content, repository, push_time=row.push_time)
        Artifact.objects.filter(pk=artifact.pk).update(pull_time=row.pull_time)
        recording.record_accessory(content, repository, artifact, row.tags)
    labels = Label.objects.filter(Q(project_id=repository.project_id) | Q(project=None), pk__in=row.labels)
    ArtifactLabel.objects.bulk_create(
        (ArtifactLabel(artifact=artifact, label=label) for label in labels), ignore_conflicts=True
    )
    return artifact, added


def _claim(actor: Actor, repository: Repository, row: TrashedArtifact, artifact: Artifact, result: Restored) -> None:
    """Its tags as far as they are free, and the word that it is back."""
    got: list[str] = []
    for tag in row.tags:
        (got if tags.claim(actor, repository.pk, tag, artifact) else result.taken).append(tag)
    result.tags += got
    reference = f"{repository.name}@{row.digest}"
    audit.record(actor, "restore", "artifact", reference, project_id=repository.project_id)
    for tag in got or [""]:
        audit.emit(
            actor,
            "PUSH_ARTIFACT",
            project_id=repository.project_id,
            repository=repository.name,
            digest=row.digest,
            tag=tag,
            artifact_type=artifact.type,
        )
