"""Copy an artifact into another repository: storage first, then one transaction for all of it.

With an index come its children, with everything its accessories, and the tags of the artifact itself. Blobs are not
read: they are in storage once, a copy links them. After a crash there are links and manifests that nothing names;
copying again goes on from there.
"""

from dataclasses import dataclass, replace
from graphlib import TopologicalSorter

from django.db import transaction

from auth.actor import Actor
from harbor_core.lib import names, storage
from harbor_core.lib.errors import HarborError
from harbor_core.lib.races import Lost, settled
from harbor_core.services import audit, space
from projects.access import ProjectAccess
from projects.models import Accessory, Artifact, ArtifactBlob, ArtifactReference, Blob, Repository, Tag
from projects.selectors.contents import manifest_of
from projects.selectors.immutability import is_referrer_tag
from projects.services import blobs as blob_service
from projects.services import immutability, quota, recording, repositories, tags, visibility
from projects.services.hold import hold_project
from projects.services.recording import Content

MAX_PARTS = 2_000
MAX_MANIFESTS = 64 * 1024 * 1024  # bytes of all of them, held in memory


@dataclass(frozen=True, slots=True)
class _Part:
    """An artifact of the source to be copied, with the tags it shall have."""

    artifact_id: int
    tags: tuple[str, ...] = ()


def reference(text: str) -> tuple[str, str]:
    """``project/repository:tag`` or ``project/repository@digest`` taken apart. Raises BAD_REQUEST."""
    name, at, digest = text.partition("@")
    head, _, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    repository = f"{head}/{last}"
    valid = names.is_digest(digest) if at else names.is_tag(tag)
    if not names.is_repository(repository) or not valid or (at and colon and not names.is_tag(tag)):
        raise HarborError("BAD_REQUEST", f"{text[:300]!r} is not of the form project/repository:tag or @digest")
    return repository, digest or tag


def copy(actor: Actor, project: ProjectAccess, repository: str, source: Artifact) -> None:
    """Put the source, which the actor may read, into the repository of the project. What is there already stays; tags
    that point elsewhere are moved.

    Raises BAD_REQUEST, METHOD_NOT_ALLOWED for a proxy cache, NOT_FOUND when the source has just gone, PRECONDITION for
    an immutable tag and for a source that is not all here, DENIED (quota, nearly full), SERVICE_UNAVAILABLE.
    """
    if not names.is_repository(repository):
        raise HarborError("BAD_REQUEST", f"{repository[:300]!r} is not the name of a repository")
    if project.proxy:
        raise HarborError("METHOD_NOT_ALLOWED", f"{project.project_name} is a proxy cache; nothing can be put into it")
    if source.repository.name == repository:
        return
    if space.is_low():
        raise HarborError("DENIED", "the storage is nearly full; nothing can be copied")
    parts = _parts(source)
    _refuse_early(actor, project, repository, source, parts)

    def attempt() -> None:
        before = repositories.current_id(repository)
        contents = _store(project.project_id, repository, parts)
        with transaction.atomic():
            _record(actor, project.project_id, repository, list(zip(parts, contents, strict=True)), before)

    with quota.refusals_told(actor, project.project_id, repository):
        settled(attempt)


def _parts(source: Artifact) -> list[_Part]:
    """The source and all that comes with it, children before the indexes that name them."""
    graph: dict[int, set[int]] = {}
    accessories: set[int] = set()
    found = {source.pk}
    while found:
        graph |= {pk: set() for pk in found}
        if len(graph) > MAX_PARTS:
            raise HarborError("PRECONDITION", f"the artifact has more than {MAX_PARTS} parts")
        references = ArtifactReference.objects.filter(parent_id__in=found).values_list("parent_id", "child_id")
        for parent_id, child_id in references:
            if child_id is None:
                raise HarborError("PRECONDITION", "the artifact is an index whose children are not all stored here")
            graph[parent_id].add(child_id)
        attached = set(Accessory.objects.filter(subject_id__in=found).values_list("artifact_id", flat=True))
        accessories |= attached
        found = (attached | {child for pk in found for child in graph[pk]}) - graph.keys()
    named: dict[int, list[str]] = {}
    for pk, name in Tag.objects.filter(artifact_id__in={source.pk, *accessories}).values_list("artifact_id", "name"):
        if pk == source.pk or is_referrer_tag(name):  # by which tools find a signature
            named.setdefault(pk, []).append(name)
    return [_Part(pk, tuple(sorted(named.get(pk, ())))) for pk in TopologicalSorter(graph).static_order()]


def _refuse_early(actor: Actor, project: ProjectAccess, repository: str, source: Artifact, parts: list[_Part]) -> None:
    """What is sure to be refused, before anything is stored."""
    wanted = {name for part in parts for name in part.tags if part.artifact_id == source.pk}
    moved = Tag.objects.filter(repository__name=repository, name__in=wanted).exclude(artifact__digest=source.digest)
    target = Repository.objects.filter(name=repository).first()
    if target is not None:
        immutability.refuse(target, list(moved.values_list("name", flat=True)))
    named = ArtifactBlob.objects.filter(artifact_id__in=[part.artifact_id for part in parts]).values("blob_id")
    new = Blob.objects.filter(pk__in=named).exclude(projects__project_id=project.project_id)
    adding = sum(size or 0 for size in new.values_list("size", flat=True))
    if adding:
        quota.check_room(project.project_id, adding, actor=actor, repository=repository)


def _store(project_id: int, repository: str, parts: list[_Part]) -> list[Content]:
    """Manifests and links of everything, in storage."""
    contents: list[Content] = []
    for part in parts:
        artifact = Artifact.objects.filter(pk=part.artifact_id).first()
        if artifact is None:
            raise HarborError("NOT_FOUND", "the artifact has just been deleted")
        contents.append(_store_one(project_id, repository, artifact))
        if sum(len(content.content) for content in contents) > MAX_MANIFESTS:
            raise HarborError("PRECONDITION", f"the artifact has more than {MAX_MANIFESTS} bytes of manifests")
    return contents


def _store_one(project_id: int, repository: str, artifact: Artifact) -> Content:
    manifest, data = manifest_of(artifact), bytes(artifact.manifest)
    digests = [item.digest for item in manifest.blobs]
    try:
        rows = {digest: blob_service.lease(repository, digest) for digest in digests}
        for digest, size in storage.linked_sizes(repository, digests).items():
            if size is None:
                storage.link_layer(repository, digest)
        sizes = {digest: size for digest, size in storage.linked_sizes(repository, digests).items() if size is not None}
        if len(sizes) < len(rows):
            raise HarborError("NOT_FOUND", f"layers of {artifact.digest} are not in storage")
        own_blob = blob_service.lease(repository, artifact.digest, manifest=True)
        storage.put_manifest(repository, artifact.digest, data)
    except OSError as exc:
        raise HarborError("SERVICE_UNAVAILABLE", "the storage cannot be used", headers={"Retry-After": "5"}) from exc
    blobs = {digest: (rows[digest], size) for digest, size in sizes.items()}
    return Content(project_id, repository, artifact.digest, data, manifest, own_blob, blobs, {}, artifact.extra_attrs)


def _record(actor: Actor, project_id: int, name: str, copied: list[tuple[_Part, Content]], before: int | None) -> None:
    hold_project(project_id)
    repository, is_new = repositories.ensure(project_id, name)
    repositories.check_same(before, repository, is_new)
    if is_new:
        audit.record(actor, "create", "repository", name, project_id=project_id)
    added, recorded = 0, []
    for part, content in copied:
        artifact, new_bytes = _record_one(actor, repository, part, content)
        added += new_bytes
        recorded.append((content, artifact))
    visibility.changed(repository.pk)
    for content, artifact in recorded:
        visibility.refresh(recording.join(content, repository, artifact))
    quota.charge(project_id, added, actor=actor, repository=name)


def _record_one(actor: Actor, repository: Repository, part: _Part, content: Content) -> tuple[Artifact, int]:
    """The artifact, and the bytes that are new to the project."""
    rows = {content.own_blob, *(row for row, _ in content.blobs.values())}
    if recording.hold_blobs(repository.name, rows).keys() != rows:
        raise Lost("a blob was collected, or the repository deleted, after it was linked")
    digests = {item.digest for item in content.manifest.children}
    here = Artifact.objects.filter(repository=repository, digest__in=digests).only("digest", "size")
    content = replace(content, children={child.digest: child for child in here})
    artifact, added, _ = recording.record_artifact(content, repository)
    affected = {artifact.pk, *(child.pk for child in content.children.values())}
    recording.record_accessory(content, repository, artifact, part.tags)
    for tag in part.tags:
        move = tags.put(actor, repository.pk, tag, artifact)
        affected |= {move.old_artifact_id} if move.old_artifact_id else set()
    visibility.refresh(affected)
    _tell(actor, repository, part, content, artifact)
    return artifact, added


def _tell(actor: Actor, repository: Repository, part: _Part, content: Content, artifact: Artifact) -> None:
    reference = f"{repository.name}@{content.digest}"
    audit.record(actor, "copy", "artifact", reference, project_id=repository.project_id)
    for tag in part.tags or ("",):
        audit.emit(
            actor,
            "PUSH_ARTIFACT",
            project_id=repository.project_id,
            repository=repository.name,
            digest=content.digest,
            tag=tag,
            artifact_type=artifact.type,
        )
