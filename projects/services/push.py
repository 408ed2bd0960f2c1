"""A manifest arrives: storage first, then one transaction with everything the push means.

After a crash between the two there is at most a manifest in storage that nothing names; pushing again repairs it.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import transaction

from auth.actor import Actor
from harbor_core.lib import names, sql, storage
from harbor_core.lib.errors import HarborError
from harbor_core.lib.races import Lost, settled
from harbor_core.services import audit
from projects.access import ProjectAccess
from projects.manifests import platforms as platform_names
from projects.manifests.parse import Descriptor, Manifest, parse
from projects.models import Artifact
from projects.services import blobs as blob_service
from projects.services import quota, recording, repositories, tags, visibility
from projects.services.hold import hold_project
from projects.services.recording import Content

# The blobs first and once: planners without statistics would look for them again for each link of the repository.
_LIVE_BLOBS = f"""
    WITH b AS MATERIALIZED (SELECT id, digest FROM harbor_projects_blob b
        WHERE digest IN ({{marks}}) AND {blob_service.IS_LIVE})
    SELECT b.digest, b.id, l.id FROM b
    JOIN harbor_projects_repositoryblob l ON l.blob_id = b.id AND l.repository_name = %s
"""


@dataclass(frozen=True, slots=True)
class Pushed:
    digest: str
    subject: str  # digest of the manifest's subject, empty when it has none


def manifest_push(
    actor: Actor,
    project: ProjectAccess,
    repository: str,
    reference: str,
    content: bytes,
    content_type: str,
    *,
    platforms: Sequence[str] = (),
    lacking: Collection[str] = (),
) -> Pushed:
    """Store a manifest under a tag or its digest. Repeating it changes nothing but push times.

    An index needs its children. What was left out on purpose may be absent and is marked: children of other platforms
    than ``platforms``, if any are named, and those whose digests are ``lacking``.

    Raises MANIFEST_INVALID, DIGEST_INVALID, TAG_INVALID, MANIFEST_BLOB_UNKNOWN, DENIED (quota), SERVICE_UNAVAILABLE.
    """
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    tag = _tag(reference, digest)
    manifest = parse(content, content_type)
    left_out = _left_out(manifest, platforms) | {*lacking}

    def attempt() -> None:
        before = repositories.current_id(repository)
        stored = _store(project, repository, digest, content, manifest, left_out)
        with transaction.atomic():
            _record(actor, stored, tag, before)

    try:
        with quota.refusals_told(actor, project.project_id, repository):
            settled(attempt)
    except quota.QuotaExceeded:
        # The push is over: what it uploaded must not keep others out for as long as a reservation lasts.
        blob_service.forget_uploads(repository, [item.digest for item in manifest.blobs])
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


def _left_out(manifest: Manifest, names: Sequence[str]) -> set[str]:
    """Digests of children that may be absent when only these platforms were copied."""
    if not names or not manifest.children:
        return set()
    needed = platform_names.needed(manifest.children, names)
    return {child.digest for child in manifest.children} - needed


def _unknown(missing: list[str]) -> HarborError:
    return HarborError("MANIFEST_BLOB_UNKNOWN", detail={"digests": missing[:20]})


def _store(
    project: ProjectAccess, repository: str, digest: str, content: bytes, manifest: Manifest, left_out: set[str]
) -> Content:
    """What the manifest names is checked against storage, then it is put there itself."""
    blobs, links = _stored_blobs(repository, manifest.blobs)
    children = _stored_children(repository, manifest.children)
    missing = sorted({child.digest for child in manifest.children} - children.keys())
    if not project.proxy and (not left_out.issuperset(missing) or (missing and not children)):
        raise _unknown(missing)
    attrs = recording.extra_attrs(manifest)
    own_blob = blob_service.lease(repository, digest, manifest=True)
    try:
        storage.put_manifest(repository, digest, content)
    except OSError as exc:
        raise HarborError("SERVICE_UNAVAILABLE", "the storage cannot be written", headers={"Retry-After": "5"}) from exc
    return Content(
        project.project_id, repository, digest, content, manifest, own_blob, blobs, children, attrs, links,
        left_out=bool(left_out),
    )  # fmt: skip


def _stored_blobs(repository: str, wanted: list[Descriptor]) -> tuple[dict[str, tuple[int, int]], dict[int, int]]:
    """Content.blobs and Content.links of what the manifest names."""
    digests = [item.digest for item in wanted]
    if not digests:
        return {}, {}
    found = sql.fetch_all(_LIVE_BLOBS.format(marks=sql.marks(digests)), [*digests, repository])
    rows = {digest: blob for digest, blob, _ in found}
    sizes = storage.linked_sizes(repository, [digest for digest in digests if digest in rows])
    missing = [digest for digest in digests if sizes.get(digest) is None]
    if missing:
        raise _unknown(missing)
    for item in wanted:
        if sizes[item.digest] != item.size:
            raise HarborError(
                "MANIFEST_INVALID", f"{item.digest} has {sizes[item.digest]} bytes, the manifest says {item.size}"
            )
    stored = {digest: (rows[digest], size) for digest, size in sizes.items() if size is not None}
    return stored, {blob: link for _, blob, link in found}


def _stored_children(repository: str, wanted: list[Descriptor]) -> dict[str, Artifact]:
    """Children of an index that are here."""
    if not wanted:
        return {}
    digests = {item.digest for item in wanted}
    found = {
        child.digest: child
        for child in Artifact.objects.filter(repository__name=repository, digest__in=digests).only(
            "digest", "size", "manifest"
        )
    }
    for item in wanted:
        if item.digest not in found:
            continue
        length = len(bytes(found[item.digest].manifest))
        if length != item.size:
            raise HarborError("MANIFEST_INVALID", f"{item.digest} has {length} bytes, the index says {item.size}")
    return found


def _hold(stored: Content) -> None:
    try:
        hold_project(stored.project_id)
    except HarborError as error:
        raise HarborError("NAME_UNKNOWN", error.message) from error
    held = recording.hold_blobs(stored.repository, {stored.own_blob, *(row for row, _ in stored.blobs.values())})
    missing = [digest for digest, (row, _) in stored.blobs.items() if row not in held]
    if missing:
        raise _unknown(missing)
    if any(held[row] != link for row, link in stored.links.items()):
        raise Lost("a link was collected after storage was looked at, and another upload is making it anew")
    if stored.own_blob not in held:
        raise Lost("the repository was deleted after the manifest was stored")


def _record(actor: Actor, stored: Content, tag: str, before: int | None) -> None:
    _hold(stored)
    repository, new_repository = repositories.ensure(stored.project_id, stored.repository)
    repositories.check_same(before, repository, new_repository)
    artifact, added, is_new = recording.record_artifact(stored, repository)
    affected = {child.pk for child in stored.children.values()}
    if not (is_new and tag):  # a new one with a tag is listed to begin with
        affected.add(artifact.pk)
    recording.record_accessory(stored, repository, artifact, [tag])
    if tag:
        move = tags.put(actor, repository.pk, tag, artifact)
        affected |= {move.old_artifact_id} if move.old_artifact_id else set()
    visibility.refresh(affected)
    blob_service.forget_uploads(stored.repository, list(stored.blobs))
    if new_repository:
        audit.record(actor, "create", "repository", repository.name, project_id=repository.project_id)
    reference = f":{tag}" if tag else f"@{stored.digest}"
    audit.record(actor, "create", "artifact", f"{repository.name}{reference}", project_id=repository.project_id)
    audit.emit(
        actor,
        "PUSH_ARTIFACT",
        project_id=repository.project_id,
        repository=repository.name,
        digest=stored.digest,
        tag=tag,
        artifact_type=artifact.type,
    )
    visibility.changed(repository.pk)
    if is_new:
        visibility.refresh(recording.join(stored, repository, artifact))
    quota.charge(repository.project_id, added, actor=actor, repository=repository.name)
