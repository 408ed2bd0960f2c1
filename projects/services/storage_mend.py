"""Settle what a storage audit found: adopt it, so that the database knows it, or delete it.

Deleting goes the way of garbage collection: what the database does not know gets rows that are condemned from their
first moment, and the collector removes links, bytes and rows in its order. A push of the same digest finds those rows
and waits, or its own rows are there first and nothing is deleted.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from auth.actor import system_actor
from harbor_core.lib import media_types, names, sql, storage
from harbor_core.lib.errors import HarborError
from jobservice.models import StorageFinding
from projects import access
from projects.models import Blob, RepositoryBlob, Upload
from projects.services import blobs as blob_service
from projects.services import collection, trees
from projects.services.push import manifest_push

Kind, State = StorageFinding.Kind, StorageFinding.State
SYSTEM = system_actor("storage audit")
ADOPTABLE = (Kind.BLOB, Kind.LINK, Kind.MANIFEST)
DELETABLE = (Kind.BLOB, Kind.LINK, Kind.MANIFEST, Kind.UPLOAD, Kind.FILE, Kind.TREE)
MANIFEST_MAX = 4 * 1024 * 1024
_KNOWN = "the database knows it now"
_GOES = "it is being deleted"
_CONDEMNED = """
    INSERT INTO harbor_projects_blob (digest, size, state, touched_at, delete_failures, delete_error)
    VALUES (%s, %s, 'deleting', %s, 0, '') ON CONFLICT (digest) DO NOTHING RETURNING id
"""
_ADOPTED = """
    INSERT INTO harbor_projects_blob (digest, size, state, touched_at, delete_failures, delete_error)
    VALUES (%s, %s, 'live', %s, 0, '') ON CONFLICT (digest) DO NOTHING RETURNING id
"""
_LINK = """
    INSERT INTO harbor_projects_repositoryblob (repository_name, blob_id, touched_at, is_manifest)
    VALUES (%s, %s, %s, %s) ON CONFLICT (repository_name, blob_id) DO NOTHING RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    state: str
    message: str = ""
    freed: int = 0  # bytes


def _refused(message: str) -> Outcome:
    return Outcome(State.REFUSED, message[:512])


# ---------------------------------------------------------------------- delete
def delete(found: StorageFinding, before: datetime) -> Outcome:
    """Remove what was found, if the database has not come to know it and it has not changed since ``before``. Unknown
    links to unknown bytes go along with them: left behind, they would show what somebody else uploads later. Raises
    OSError."""
    if found.kind == Kind.TREE:
        done = trees.prune([found.repository_name]) and storage.backend().modified(found.path) is None
        return Outcome(State.DELETED) if done else Outcome(State.GONE, "it is in use")
    probe = f"{found.path}/startedat" if found.kind == Kind.UPLOAD else found.path
    modified = storage.backend().modified(probe)
    if modified is None:
        return Outcome(State.GONE, "it is not there any more")
    if modified >= before:
        return Outcome(State.GONE, "it was written anew")
    if found.kind == Kind.UPLOAD:
        return _delete_upload(found)
    if found.kind == Kind.FILE:
        storage.delete(found.path)
        return Outcome(State.DELETED, freed=found.size or 0)
    if found.kind == Kind.BLOB:
        return _delete_unknown(found.digest, found.size, _links_of(found))
    blob = Blob.objects.filter(digest=found.digest).first()
    if blob is not None:
        return _delete_link(blob, found)
    if storage.backend().size(storage.blob_path(found.digest)) is not None:
        return _refused("its bytes are not known either: adopt or delete those first")
    return _delete_unknown(found.digest, None, _links_of(found))


def _links_of(found: StorageFinding) -> dict[str, bool]:
    """repository -> whether as a manifest, for every link to the digest that the report holds."""
    rows = StorageFinding.objects.filter(
        execution_id=found.execution_id, digest=found.digest, kind__in=(Kind.LINK, Kind.MANIFEST)
    )
    links: dict[str, bool] = {}
    for name, kind in rows.values_list("repository_name", "kind"):
        links[name] = links.get(name, False) or kind == Kind.MANIFEST
    return links


def _delete_upload(found: StorageFinding) -> Outcome:
    upload = found.path.rpartition("/")[2]
    if Upload.objects.filter(pk=upload).exists():
        return Outcome(State.GONE, _KNOWN)
    storage.delete_upload(found.repository_name, upload)
    trees.prune([found.repository_name])
    return Outcome(State.DELETED, freed=found.size or 0)


def _delete_unknown(digest: str, size: int | None, links: dict[str, bool]) -> Outcome:
    now = sql.time(timezone.now())
    with transaction.atomic():
        made = sql.fetch_all(_CONDEMNED, [digest, size, now])
        if not made:
            return Outcome(State.GONE, _KNOWN)
        ((row,),) = made
        for name, is_manifest in links.items():
            sql.fetch_all(_LINK, [name, row, now, is_manifest])
    return _outcome(collection.remove([(row, digest, size)], workers=1), size or 0)


def _delete_link(blob: Blob, found: StorageFinding) -> Outcome:
    """Of a blob that lives on elsewhere: a link that is recorded and taken back in one transaction."""
    now = timezone.now()
    with transaction.atomic():
        is_manifest = found.kind == Kind.MANIFEST
        made = sql.fetch_all(_LINK, [found.repository_name, blob.pk, sql.time(now - timedelta(seconds=1)), is_manifest])
        if not made:
            links = RepositoryBlob.objects.filter(repository_name=found.repository_name, blob=blob)
            if is_manifest and links.filter(is_manifest=False).update(is_manifest=True):
                return Outcome(State.ADOPTED, "it goes with the link that is known")
            return Outcome(State.GONE, _KNOWN)
        totals, repositories = collection.unlink([made[0][0]], now, workers=1)
    trees.prune(repositories)
    return _outcome(totals, 0)


def _outcome(totals: collection.Totals, freed: int) -> Outcome:
    return _refused(totals.errors[0]) if totals.failed else Outcome(State.DELETED, freed=freed)


# ---------------------------------------------------------------------- adopt
def adopt(found: StorageFinding, lacking: Collection[str] = ()) -> Outcome:
    """Record what was found. Bytes have to be what their digest says; a link needs its bytes, a manifest becomes an
    artifact of its project as if it were pushed by its digest. ``lacking``: digests of children that were left out of
    an index. Raises OSError."""
    refusal = _adopt_blob(found.digest)
    if refusal:
        return _refused(refusal)
    if found.kind == Kind.BLOB:
        return Outcome(State.ADOPTED)
    name = found.repository_name
    project = access.project_access(SYSTEM, name.partition("/")[0]) if names.is_repository(name) else None
    if project is None:
        return _refused("there is no such project")
    try:
        if found.kind == Kind.LINK:
            blob_service.lease(name, found.digest)
            return Outcome(State.ADOPTED)
        content = storage.read_blob(found.digest)
        manifest_push(SYSTEM, project, name, found.digest, content, _media_type(content), lacking=lacking)
    except HarborError as error:
        return _refused(f"{error.code}: {error.message}")
    return Outcome(State.ADOPTED)


def _adopt_blob(digest: str) -> str:
    """Make the bytes known, for the collection's window at first. Returns why not, empty when they are known."""
    state = Blob.objects.filter(digest=digest).values_list("state", flat=True).first()
    if state is not None:
        return "" if state == Blob.State.LIVE else _GOES
    size = storage.backend().size(storage.blob_path(digest))
    if size is None:
        return "its bytes are not in storage"
    if not names.is_digest(digest) or not storage.has_digest(digest):
        return "its content does not have this digest"
    if sql.fetch_all(_ADOPTED, [digest, size, sql.time(timezone.now())]):
        return ""
    # Somebody pushed it while its bytes were read, or somebody condemned it.
    return "" if Blob.objects.filter(digest=digest, state=Blob.State.LIVE).exists() else _GOES


def _media_type(content: bytes) -> str:
    """What a manifest says it is, or looks like."""
    try:
        document = json.loads(content) if len(content) <= MANIFEST_MAX else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return media_types.OCI_MANIFEST
    declared = document.get("mediaType")
    if isinstance(declared, str):
        return declared
    return media_types.OCI_INDEX if "manifests" in document else media_types.OCI_MANIFEST
