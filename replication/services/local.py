"""This registry as one end of a replication, with the methods of replication.client.Client: reads come from the
database and storage, writes go the way of a push (quota, immutable tags, read-only mode, events)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
from django.conf import settings

from auth.actor import Actor
from auth.keys import registry_token
from harbor_core import registry_client
from harbor_core.lib import names, storage
from harbor_core.lib.errors import HarborError
from harbor_core.lib.storage_backends import backend
from harbor_core.services import space
from harbor_core.services.config import config_get
from projects import access
from projects.access import ProjectAccess
from projects.models import Accessory, Artifact, ArtifactReference, Project, Repository, Tag
from projects.services import blobs
from projects.services.projects import create as create_project
from projects.services.push import manifest_push
from replication.client import COSIGN, PIECE, STALL_SECONDS, RemoteError, referrers_tag


class Local:
    """``actor`` is who pushes are put down to."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        url = settings.REGISTRY_URL
        socket = url.removeprefix("unix:").removeprefix("//") if url.startswith("unix:") else None
        self._base = "http://registry" if socket else url.rstrip("/")
        verify = registry_client.trust() if url.startswith("https://") else True
        transport = httpx.HTTPTransport(uds=socket, verify=verify)
        self._http = httpx.Client(transport=transport, timeout=STALL_SECONDS, trust_env=False)

    def close(self) -> None:
        self._http.close()

    # ------------------------------------------------------------------ reading
    def digest(self, repository: str, reference: str) -> str:
        """Of the manifest, empty when it is not there."""
        found = self._artifact(repository, reference)
        return found.digest if found else ""

    def manifest(self, repository: str, reference: str) -> tuple[bytes, str]:
        """Its bytes as they are, and its media type. Raises RemoteError when it has just gone."""
        found = self._artifact(repository, reference)
        if found is None:
            raise RemoteError(f"{repository} has no {reference} any more", 404)
        return bytes(found.manifest), found.manifest_media_type

    @staticmethod
    def _artifact(repository: str, reference: str) -> Artifact | None:
        rows = Artifact.objects.filter(repository__name=repository)
        if names.is_digest(reference):
            return rows.filter(digest=reference).first()
        tag = Tag.objects.filter(repository__name=repository, name=reference).select_related("artifact").first()
        return tag.artifact if tag else None

    def referrers(self, repository: str, digest: str) -> list[str]:
        """Digests of what belongs to the artifact: signatures, SBOMs."""
        found = Accessory.objects.filter(repository__name=repository, subject_digest=digest).order_by("pk")
        return list(found.values_list("artifact__digest", flat=True))

    def referrer_tags(self, repository: str, digest: str) -> list[str]:
        """Tags by which cosign finds what it signed."""
        names_ = [referrers_tag(digest) + suffix for suffix in COSIGN]
        return list(Tag.objects.filter(repository__name=repository, name__in=names_).values_list("name", flat=True))

    def absent(self, repository: str, digest: str) -> set[str]:
        """Digests of the children that this index is here without."""
        lacking = ArtifactReference.objects.filter(child=None, parent__digest=digest)
        return set(lacking.filter(parent__repository__name=repository).values_list("child_digest", flat=True))

    def has_blob(self, repository: str, digest: str) -> bool:
        return blobs.touch(repository, digest) and storage.linked_sizes(repository, [digest])[digest] is not None

    @contextmanager
    def blob(self, repository: str, digest: str, start: int = 0, length: int = 0) -> Iterator[Iterator[bytes]]:
        """Its bytes from an offset, read as they are wanted. Raises OSError."""
        with backend().storage.open(storage.blob_path(digest)) as file:
            file.seek(start)
            yield iter(lambda: file.read(PIECE), b"")

    # ------------------------------------------------------------------ writing
    def prepare(self, name: str) -> None:
        """Make the project if there is none. Raises HarborError for one that nothing can be put into."""
        project = Project.objects.filter(name=name, deleted=False).first()
        if project is None:
            create_project(self.actor, name, values={"public": "false"})
        elif project.registry_id is not None:
            raise HarborError("DENIED", f"{name} is a proxy cache; nothing can be put into it")

    def _writable(self, repository: str) -> ProjectAccess:
        if config_get("read_only"):
            raise HarborError("DENIED", "the system is in read-only mode")
        if space.is_low():
            raise HarborError("DENIED", "the storage is nearly full; pushing is suspended")
        if not names.is_repository(repository):
            raise HarborError("NAME_INVALID", f"{repository[:300]!r} is not the name of a repository")
        project = access.get_project_access(self.actor, repository.partition("/")[0], "repository:push")
        if project.proxy:
            raise HarborError("DENIED", f"{project.project_name} is a proxy cache; nothing can be put into it")
        return project

    def open_upload(self, repository: str, digest: str = "", origin: str = "") -> str:
        """The id of a new session; empty when there is nothing to send, because the blob of this digest could be linked
        from the repository ``origin``. Raises HarborError."""
        project = self._writable(repository)
        if not origin:
            return blobs.start_upload(self.actor, project, repository)[0]
        opened = blobs.mount(self.actor, project, repository, digest, origin)
        return opened[0] if opened else ""

    def upload_offset(self, repository: str, location: str) -> tuple[int, str] | None:
        found = blobs.upload_session(location, repository)
        offset = storage.upload_offset(repository, location) if found else None
        return None if offset is None else (offset, location)

    def append(self, repository: str, location: str, offset: int, content: Iterator[bytes], length: int) -> str:
        """Send a part of exactly this length. Raises HarborError (quota), RemoteError."""
        self._writable(repository)
        blobs.note_progress(blobs.upload_of(location, repository), offset + length)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(length)}
        self._send("PATCH", repository, location, {}, offset, headers, content)
        return location

    def commit(self, repository: str, location: str, digest: str) -> None:
        """End the session: the storage registry verifies the digest. Raises HarborError, RemoteError."""
        self._writable(repository)
        offset = storage.upload_offset(repository, location) or 0
        blobs.commit(blobs.upload_of(location, repository), digest, offset)
        self._send("PUT", repository, location, {"digest": digest}, offset)

    def put_blob(self, repository: str, location: str, digest: str, content: Iterator[bytes], length: int) -> None:
        """All of a blob. Raises HarborError (quota), RemoteError."""
        self.append(repository, location, 0, content, length)
        self.commit(repository, location, digest)

    def _send(
        self,
        method: str,
        repository: str,
        upload: str,
        query: dict[str, str],
        offset: int,
        headers: dict[str, str] | None = None,
        content: Iterator[bytes] | None = None,
    ) -> None:
        """To the storage registry, which answers 202 or 201 when it has taken it. Raises RemoteError."""
        params = query | {"_state": registry_client.upload_state(repository, upload, offset)}
        sent = {"Authorization": f"Bearer {registry_token((repository, ('pull', 'push')))}"} | (headers or {})
        url = f"{self._base}/v2/{repository}/blobs/uploads/{upload}"
        try:
            answer = self._http.request(method, url, params=params, headers=sent, content=content)
        except httpx.HTTPError as exc:
            raise RemoteError(f"the storage registry failed: {exc}"[:500]) from exc
        if answer.status_code not in (201, 202):
            raise RemoteError(f"the storage registry answers {answer.status_code}", answer.status_code)

    def put_manifest(
        self, repository: str, reference: str, content: bytes, media_type: str, platforms: Sequence[str] = ()
    ) -> bool:
        """As a push of this actor. ``platforms``: of an index only the children of these were copied. Returns True: a
        subject's list is kept here. Raises HarborError."""
        project = self._writable(repository)
        manifest_push(self.actor, project, repository, reference, content, media_type, platforms=platforms)
        return True


def repositories() -> Iterator[str]:
    """Names of all that can be a source: not those of proxy caches."""
    rows = Repository.objects.filter(project__deleted=False, project__registry_id=None).order_by("name")
    yield from rows.values_list("name", flat=True).iterator()
