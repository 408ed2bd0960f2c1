"""What came from upstream becomes part of the project, as a push of nobody's."""

import logging
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from auth.actor import Actor, Credential, Kind
from harbor_core.lib.errors import HarborError
from harbor_core.services import space
from harbor_core.services.config import config_get
from projects import access
from projects.access import ProjectAccess
from projects.manifests.parse import parse
from projects.models import Artifact, Tag
from projects.services import pulls
from projects.services.push import manifest_push
from replication.models import PendingManifest, UpstreamTag
from replication.services.proxy.asking import garbage
from replication.services.proxy.upstreams import Upstream

logger = logging.getLogger(__name__)
SYSTEM = Actor(Kind.USER, 0, "proxy cache", True, Credential.NONE)
COMPLETE_AFTER = timedelta(minutes=1)  # what clients did not ask for is fetched then
PULLS_MAX = 100  # that are told one by one once a manifest has become an artifact


@dataclass(frozen=True, slots=True)
class Copy:
    """A manifest that is no artifact here (yet). ``content`` is empty where only a description is known."""

    digest: str
    media_type: str
    size: int
    content: bytes = b""


def is_possible() -> bool:
    """May anything be stored at all?"""
    return not config_get("read_only") and not space.is_low()


def access_of(upstream: Upstream) -> ProjectAccess:
    """Raises NAME_UNKNOWN when the project has just been deleted."""
    found = access.recent_project_access(SYSTEM, upstream.project_name, "repository:push")
    if found is None or found.project_id != upstream.project_id:
        raise HarborError("NAME_UNKNOWN", "the project has just been deleted")
    return found


def pending(upstream: Upstream, repository: str, digest: str) -> Copy | None:
    row = PendingManifest.objects.filter(
        project_id=upstream.project_id, repository_name=repository, digest=digest
    ).first()
    return Copy(row.digest, row.media_type, len(bytes(row.content)), bytes(row.content)) if row else None


def count_pull(upstream: Upstream, repository: str, digest: str, username: str) -> None:
    rows = PendingManifest.objects.filter(project_id=upstream.project_id, repository_name=repository, digest=digest)
    rows.update(pulls=F("pulls") + 1, username=username[:512])


def has_artifact(repository: str, digest: str) -> bool:
    return Artifact.objects.filter(repository__name=repository, digest=digest).exists()


def copy_of(repository: str, digest: str) -> Copy | None:
    """Of an artifact."""
    row = Artifact.objects.filter(repository__name=repository, digest=digest).first()
    return Copy(row.digest, row.manifest_media_type, len(bytes(row.manifest)), bytes(row.manifest)) if row else None


def keep(upstream: Upstream, repository: str, copy: Copy) -> bool:
    """Store a manifest from upstream, as an artifact if all its blobs are here, else until they are. False when it
    cannot be kept. Raises RemoteError when it is none."""
    try:
        manifest = parse(copy.content, copy.media_type)
    except HarborError as error:
        raise garbage(error.message) from error
    if not is_possible():
        return False
    if manifest.is_index or not manifest.blobs:
        return publish(upstream, repository, copy)
    row, _ = PendingManifest.objects.get_or_create(
        project_id=upstream.project_id,
        repository_name=repository,
        digest=copy.digest,
        defaults={
            "media_type": copy.media_type,
            "content": copy.content,
            "next_try": timezone.now() + COMPLETE_AFTER,
        },
    )
    settle(upstream, row)
    return True


def publish(upstream: Upstream, repository: str, copy: Copy) -> bool:
    """Make the manifest an artifact, under every tag that upstream gives it. False when the project does not take it.
    Raises MANIFEST_BLOB_UNKNOWN when something of it is not here, SERVICE_UNAVAILABLE."""
    for reference in _references(upstream, repository, copy.digest):
        try:
            manifest_push(SYSTEM, access_of(upstream), repository, reference, copy.content, copy.media_type)
        except HarborError as error:
            if error.code == "MANIFEST_BLOB_UNKNOWN" or error.status >= 500:
                raise
            logger.warning("%s:%s cannot be kept: %s", repository, reference, error.message)
            if error.code != "PRECONDITION":  # an immutable tag stays where it is
                return False
    return True


def _references(upstream: Upstream, repository: str, digest: str) -> list[str]:
    rows = UpstreamTag.objects.filter(
        project_id=upstream.project_id, repository_name=repository, digest=digest, gone_since=None
    )
    here = Tag.objects.filter(repository__name=repository, artifact__digest=digest).values("name")
    tags = list(rows.exclude(name__in=here).order_by("name").values_list("name", flat=True))
    return tags if tags or has_artifact(repository, digest) else [digest]


def promote(upstream: Upstream, repository: str, blob: str = "") -> None:
    """Manifests that waited (for this blob, if one is given) and now have all they name become artifacts."""
    for row in PendingManifest.objects.filter(project_id=upstream.project_id, repository_name=repository):
        if not blob or blob.encode() in bytes(row.content):
            settle(upstream, row)


def settle(upstream: Upstream, row: PendingManifest) -> bool:
    """Whether it needs nothing more: it has become an artifact, or never will."""
    copy = Copy(row.digest, row.media_type, len(bytes(row.content)), bytes(row.content))
    try:
        kept = publish(upstream, row.repository_name, copy)
    except HarborError as error:
        if error.code != "MANIFEST_BLOB_UNKNOWN":
            raise
        return False
    if kept:
        _tell_pulls(upstream, PendingManifest.objects.filter(pk=row.pk).first() or row)
    row.delete()
    return True


def _tell_pulls(upstream: Upstream, row: PendingManifest) -> None:
    artifact = (
        Artifact.objects.filter(repository__name=row.repository_name, digest=row.digest).only("repository").first()
    )
    if artifact is None:
        return
    tag = Tag.objects.filter(artifact=artifact).order_by("pk").first()
    shown = f"{row.repository_name}:{tag.name}" if tag else f"{row.repository_name}@{row.digest}"
    pull = pulls.Pull(
        upstream.project_id, artifact.repository_id, artifact.pk, tag.pk if tag else None, row.username, shown
    )
    for _ in range(min(row.pulls, PULLS_MAX)):
        pulls.note(pull)
