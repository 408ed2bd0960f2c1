"""Blobs between client and storage: upload sessions and their grants, commits, mounts, and touching what a client was
told exists."""

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from auth.actor import ANONYMOUS, Actor
from harbor_core import registry_client
from harbor_core.lib import metrics, sql, storage
from harbor_core.lib.batches import batched
from harbor_core.lib.errors import HarborError
from projects import access
from projects.access import ProjectAccess
from projects.models import ArtifactBlob, Blob, RepositoryBlob, Upload
from projects.services import quota, trees

T = TypeVar("T")
COLLECTION_WAIT_SECONDS = 10.0
_TOUCH_BLOB = """
    INSERT INTO harbor_projects_blob (digest, size, state, touched_at, delete_failures, delete_error)
    VALUES (%s, NULL, 'live', %s, 0, '')
    ON CONFLICT (digest) DO UPDATE SET touched_at = excluded.touched_at
    RETURNING id, state
"""
_TOUCH_LINK = """
    INSERT INTO harbor_projects_repositoryblob (repository_name, blob_id, touched_at, is_manifest)
    VALUES (%s, %s, %s, %s)
    ON CONFLICT (repository_name, blob_id) DO UPDATE SET touched_at = excluded.touched_at,
        is_manifest = harbor_projects_repositoryblob.is_manifest OR excluded.is_manifest
"""
# Not "= 'live'": the index on the state is for collection. Before there are statistics planners would take it here too,
# and read every blob there is for each that is asked for.
IS_LIVE = "b.state <> 'deleting'"
_FIND_LINK = f"""
    SELECT b.id, l.id, l.touched_at < %s OR b.touched_at < %s
    FROM harbor_projects_blob b JOIN harbor_projects_repositoryblob l ON l.blob_id = b.id
    WHERE b.digest = %s AND l.repository_name = %s AND {IS_LIVE}
"""
_SET_SIZES = "UPDATE harbor_projects_blob SET size = CASE id {cases} END WHERE id IN ({marks}) AND size IS NULL"
_GRANTED = """
    INSERT INTO harbor_projects_upload
        (id, project_id, repository_name, subject, granted_until, last_activity, reserved, digest)
    VALUES (%s, %s, %s, %s, %s, %s, 0, '')
"""
_SESSION = """
    SELECT project_id, subject, granted_until > %s FROM harbor_projects_upload WHERE id = %s AND repository_name = %s
"""
_COMMITTED = "UPDATE harbor_projects_upload SET last_activity = %s, reserved = %s, digest = %s WHERE id = %s"
_FORGET = "DELETE FROM harbor_projects_upload WHERE repository_name = %s AND digest IN ({marks})"


def find(repository: str, digest: str) -> Blob | None:
    """The blob if it is linked into the repository and not being deleted."""
    found = Blob.objects.filter(digest=digest, links__repository_name=repository)
    return found.exclude(state=Blob.State.DELETING).first()


def touch(repository: str, digest: str) -> bool:
    """Whether :func:`find` finds it, remembering that a client is being told so. Writes only when the stored time is
    older than a quarter of the collection window."""
    now = timezone.now()
    old = sql.time(now - timedelta(hours=settings.GC_WINDOW_HOURS) / 4)
    row = sql.fetch_one(_FIND_LINK, [old, old, digest, repository])
    if row is None:
        return False
    blob_id, link_id, is_old = row
    if is_old:
        with transaction.atomic():
            # Conditional: if a collector took the blob meanwhile, nothing is updated and the client uploads again.
            if not Blob.objects.filter(pk=blob_id).exclude(state=Blob.State.DELETING).update(touched_at=now):
                return False
            RepositoryBlob.objects.filter(pk=link_id).update(touched_at=now)
    return True


class _Collected(Exception):
    """A collector is deleting the blob at this moment."""


def _after_collection(call: Callable[[], T]) -> T:
    """What ``call`` gives, once no collector is deleting the blob: that takes a moment. Raises SERVICE_UNAVAILABLE when
    it takes longer (the client retries)."""
    end = time.monotonic() + COLLECTION_WAIT_SECONDS
    while True:
        try:
            return call()
        except _Collected:
            # Inside a transaction waiting would be in vain: it keeps seeing, and holding, what it holds.
            if connection.in_atomic_block or time.monotonic() > end:
                message = "the blob is being collected, retry"
                raise HarborError("SERVICE_UNAVAILABLE", message, headers={"Retry-After": "2"}) from None
            time.sleep(0.05)


def lease(repository: str, digest: str, *, manifest: bool = False) -> int:
    """Record blob and repository before the bytes can exist there. Returns the blob's id. Waits for a collector that is
    deleting the same digest. Raises SERVICE_UNAVAILABLE."""
    return _after_collection(lambda: _lease(repository, digest, manifest))


def _lease(repository: str, digest: str, manifest: bool = False) -> int:
    now = sql.time(timezone.now())
    with transaction.atomic():
        blob_id, state = sql.fetch_all(_TOUCH_BLOB, [digest, now])[0]
        if state == Blob.State.DELETING:
            raise _Collected
        sql.execute(_TOUCH_LINK, [repository, blob_id, now, manifest])
    return blob_id


def set_sizes(sizes: dict[int, int]) -> None:
    """Note the size in bytes (by row id) of blobs whose size is not known yet."""
    for batch in batched(sorted(sizes)):
        cases = " ".join(["WHEN %s THEN CAST(%s AS bigint)"] * len(batch))
        values = [value for row in batch for value in (row, sizes[row])]
        sql.execute(_SET_SIZES.format(cases=cases, marks=sql.marks(batch)), [*values, *batch])


def start_upload(actor: Actor, project: ProjectAccess, repository: str) -> tuple[str, str]:
    """Open a session and remember its grant. Returns (upload id, Location path with query).

    Where one file is all the registry would make of it, it is made here: asking the registry costs several times that.
    Raises DENIED when the project is full, SERVICE_UNAVAILABLE, OSError.
    """
    quota.check_room(project.project_id, 0, actor=actor, repository=repository)
    if not storage.opens_uploads():
        return _adopt(actor, project, repository, registry_client.start_upload(repository))
    upload = str(uuid.uuid4())
    _grant(actor, project, repository, upload)
    storage.open_upload(repository, upload)
    state = registry_client.upload_state(repository, upload, 0)
    return upload, f"/v2/{repository}/blobs/uploads/{upload}?_state={state}"


def _adopt(actor: Actor, project: ProjectAccess, repository: str, answer: registry_client.Answer) -> tuple[str, str]:
    """The session the registry opened, with a grant."""
    upload, location = answer.headers.get("docker-upload-uuid", ""), answer.headers.get("location", "")
    if answer.status != 202 or not upload or not location:
        raise HarborError("SERVICE_UNAVAILABLE", f"the storage registry answered {answer.status} to a new upload")
    _grant(actor, project, repository, upload)
    return upload, location


def _grant(actor: Actor, project: ProjectAccess, repository: str, upload: str) -> None:
    now = timezone.now()
    until = sql.time(now + timedelta(hours=settings.UPLOAD_GRANT_HOURS))
    values = [sql.identifier(upload), project.project_id, repository, actor.key, until, sql.time(now)]
    sql.execute(_GRANTED, values)


def mount(actor: Actor, project: ProjectAccess, repository: str, digest: str, source: str) -> tuple[str, str] | None:
    """Link a blob of another repository into this one; the caller has checked that the actor may pull there.

    Returns None when mounted, else (upload id, Location) of a session to upload into. Raises DENIED over quota.
    """
    size = storage.linked_sizes(source, [digest])[digest] if touch(source, digest) else None
    if size is None:
        return start_upload(actor, project, repository)
    quota.check_room(project.project_id, size, actor=actor, repository=repository, digest=digest)
    lease(repository, digest)
    answer = registry_client.mount(repository, digest, source)
    if answer.status >= 500:  # an empty folder it was about to write into may just have been removed
        answer = registry_client.mount(repository, digest, source)
    if answer.status == 201:
        return None
    return _adopt(actor, project, repository, answer)


def upload_session(upload: str, repository: str) -> tuple[Upload, bool] | None:
    """The session of this repository (id, project, repository and subject only), and whether its grant still holds."""
    try:
        values = [sql.time(timezone.now()), sql.identifier(upload), repository]
    except ValueError:
        return None
    row = sql.fetch_one(_SESSION, values)
    if row is None:
        return None
    project_id, subject, granted = row
    return Upload(id=upload, project_id=project_id, repository_name=repository, subject=subject), bool(granted)


def forget_uploads(repository: str, digests: list[str]) -> None:
    """What these sessions brought is named by a manifest now."""
    for batch in batched(digests):
        sql.execute(_FORGET.format(marks=sql.marks(batch)), [repository, *batch])


def upload_of(upload: str, repository: str) -> Upload:
    """The session of this repository. Raises BLOB_UPLOAD_UNKNOWN."""
    row = Upload.objects.filter(pk=upload, repository_name=repository).first()
    if row is None:
        raise HarborError("BLOB_UPLOAD_UNKNOWN", detail=upload)
    return row


def note_progress(upload: Upload, received: int) -> None:
    """A chunk is on its way: ``received`` bytes in all when it has arrived, as far as its length is known.

    Raises DENIED (and drops the session) when the project cannot hold that much.
    """
    _check_reservation(upload, received)
    Upload.objects.filter(pk=upload.pk).update(last_activity=timezone.now(), reserved=received)


def _check_reservation(upload: Upload, received: int, digest: str = "") -> None:
    actor = access.actor_of_key(upload.subject) or ANONYMOUS
    try:
        quota.check_room(
            upload.project_id,
            received,
            actor=actor,
            repository=upload.repository_name,
            digest=digest,
            besides=str(upload.pk),
        )
    except HarborError:
        cancel(upload)
        raise


def commit(upload: Upload, digest: str, received: int) -> None:
    """The client finishes the upload: record what will exist before the registry makes it exist.

    Raises DENIED (and drops the session) when the project cannot hold that much and does not have the blob already.
    """
    _check_reservation(upload, received, digest)

    def record() -> None:
        with transaction.atomic():
            _lease(upload.repository_name, digest)
            sql.execute(_COMMITTED, [sql.time(timezone.now()), received, digest, sql.identifier(upload.pk)])

    _after_collection(record)
    metrics.uploaded(received)


def cancel(upload: Upload) -> None:
    """Forget the session and remove what it holds in storage."""
    storage.delete_upload(upload.repository_name, str(upload.pk))
    upload.delete()


def delete(repository: str, digest: str) -> None:
    """Remove the blob from the repository (its link; the bytes are left to garbage collection).

    Raises BLOB_UNKNOWN, or DENIED while an artifact of the repository names it.
    """
    with transaction.atomic():
        blob = Blob.objects.select_for_update().filter(digest=digest, links__repository_name=repository).first()
        if blob is None:
            raise HarborError("BLOB_UNKNOWN", detail=digest)
        if ArtifactBlob.objects.filter(blob=blob, artifact__repository__name=repository).exists():
            raise HarborError("DENIED", "the blob is named by a manifest of this repository; delete that first")
        storage.delete(storage.layer_link(repository, digest))
        RepositoryBlob.objects.filter(repository_name=repository, blob=blob).delete()


def sweep_uploads(idle_hours: int) -> int:
    """Cancel sessions without activity for so long. Returns how many."""
    limit = timezone.now() - timedelta(hours=idle_hours)
    swept = 0
    for upload in Upload.objects.filter(last_activity__lt=limit).order_by("last_activity")[:1000]:
        cancel(upload)
        trees.prune([upload.repository_name])
        swept += 1
    return swept


def sweep_oversized() -> int:
    """Cancel sessions that streamed more than their project has room for without announcing a length. Returns how many.

    Only projects with a limit are looked at, and only sessions that moved lately: the next request is checked anyway.
    """
    swept = 0
    recent = timezone.now() - timedelta(minutes=30)
    limited = Upload.objects.filter(project__quota__hard__gt=0, last_activity__gte=recent)
    for upload in limited.order_by("pk").iterator(chunk_size=500):
        offset = storage.upload_offset(upload.repository_name, str(upload.pk))
        if offset is None or offset <= upload.reserved:
            continue
        try:
            note_progress(upload, offset)
        except HarborError:
            swept += 1
    return swept
