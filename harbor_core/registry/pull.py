"""Pull a manifest (end-3), without a framework: the hot path of every deployment.

One query finds the digest; the content is immutable and kept per process. A pull writes nothing here: its statistics
are buffered (projects.services.pulls).
"""

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

from harbor_core.lib import media_types as mt
from harbor_core.lib import metrics, names
from harbor_core.lib.errors import HarborError
from harbor_core.lib.reply import Reply
from harbor_core.lib.ttl import TTLCache
from harbor_core.registry import proxied
from harbor_core.registry.authorize import Caller, authorize
from projects.services import pulls

CACHED_MAX_BYTES = 64 * 1024
_contents: TTLCache[bytes] = TTLCache(1024)

_COLUMNS = "a.id, a.digest, a.manifest_media_type, r.id, r.project_id"
_BY_TAG = f"""
    SELECT {_COLUMNS}, t.id FROM harbor_projects_tag t
    JOIN harbor_projects_repository r ON r.id = t.repository_id
    JOIN harbor_projects_artifact a ON a.id = t.artifact_id
    WHERE r.name = %s AND t.name = %s
"""
_BY_DIGEST = f"""
    SELECT {_COLUMNS}, NULL FROM harbor_projects_artifact a
    JOIN harbor_projects_repository r ON r.id = a.repository_id
    WHERE r.name = %s AND a.digest = %s
"""
_CONTENT = "SELECT manifest FROM harbor_projects_artifact WHERE id = %s"
_AMD64_CHILD = f"""
    SELECT {_COLUMNS}, NULL, x.platform, x.child_digest FROM harbor_projects_artifactreference x
    LEFT JOIN harbor_projects_artifact a ON a.id = x.child_id
    LEFT JOIN harbor_projects_repository r ON r.id = a.repository_id
    WHERE x.parent_id = %s ORDER BY x.position
"""
_LEFT_OUT = """
    SELECT 1 FROM harbor_projects_artifactreference x
    JOIN harbor_projects_artifact a ON a.id = x.parent_id JOIN harbor_projects_repository r ON r.id = a.repository_id
    WHERE r.name = %s AND x.child_digest = %s AND x.left_out AND x.child_id IS NULL LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class _Found:
    artifact_id: int
    digest: str
    media_type: str
    repository_id: int
    project_id: int
    tag_id: int | None


class _AbsentChild(HarborError):
    """The child of an index that is meant is not here; a proxy project can fetch it."""

    def __init__(self, digest: str) -> None:
        self.digest = digest
        super().__init__("MANIFEST_UNKNOWN", "the index is here without its manifest for linux/amd64", detail=digest)


def manifest(environ: dict[str, Any], repository: str, reference: str) -> Reply:
    """GET and HEAD. 200, 304; raises UNAUTHORIZED, MANIFEST_UNKNOWN, DIGEST_INVALID; in a proxy project 301 and what
    replication.services.proxy.manifests raises."""
    caller = authorize(environ, repository, "pull")
    began = timezone.now()
    found, headers = _find(repository, reference), {}
    if caller.project.proxy and (found is None or found.tag_id is not None):
        digest, describe = found.digest if found else "", environ["REQUEST_METHOD"] == "HEAD"
        answer = proxied.manifest(caller, repository, reference, digest, describe, began)
        if answer.reply is not None:
            return answer.reply
        headers = answer.headers
        if answer.changed:
            found = _find(repository, reference)
    elif caller.project.proxy:  # by digest, and it is here
        metrics.proxied("manifest", "hit")
    if found is None:
        raise _missing(repository, reference)
    if found.tag_id is not None:
        try:
            found = _negotiate(found, environ.get("HTTP_ACCEPT", ""))
        except _AbsentChild as child:
            if caller.project.proxy:
                return manifest(environ, repository, child.digest)
            raise
    return _reply(environ, caller, repository, reference, found, headers)


def _reply(
    environ: dict[str, Any], caller: Caller, repository: str, reference: str, found: _Found, headers: dict[str, str]
) -> Reply:
    etag = f'"{found.digest}"'
    headers = headers | {"Docker-Content-Digest": found.digest, "ETag": etag}
    if _matches(environ.get("HTTP_IF_NONE_MATCH", ""), etag):
        return Reply(304, headers=headers)
    content = _content(found)
    headers |= {"Content-Type": found.media_type, "Content-Length": str(len(content))}
    if environ["REQUEST_METHOD"] == "HEAD":
        return Reply(200, b"", headers)
    pulls.note(
        pulls.Pull(
            found.project_id, found.repository_id, found.artifact_id, found.tag_id, caller.actor.name,
            f"{repository}{':' if found.tag_id is not None else '@'}{reference}",
        )
    )  # fmt: skip
    return Reply(200, content, headers)


def _find(repository: str, reference: str) -> _Found | None:
    """Raises DIGEST_INVALID, MANIFEST_UNKNOWN for what cannot be a reference."""
    is_digest = names.looks_like_digest(reference)
    if is_digest and not names.is_digest(reference):
        raise HarborError("DIGEST_INVALID", "only sha256 digests are supported", detail=reference[:200])
    if not is_digest and not names.is_tag(reference):
        raise HarborError("MANIFEST_UNKNOWN", detail=reference[:200])
    with connection.cursor() as cursor:
        cursor.execute(_BY_DIGEST if is_digest else _BY_TAG, [repository, reference])
        row = cursor.fetchone()
    return _Found(*row) if row else None


def _missing(repository: str, reference: str) -> HarborError:
    """Of what was left out on purpose a client is told so: it will not come by asking again."""
    if names.is_digest(reference):
        with connection.cursor() as cursor:
            cursor.execute(_LEFT_OUT, [repository, reference])
            if cursor.fetchone():
                return HarborError(
                    "MANIFEST_UNKNOWN", "its platform was left out when the index was copied here", detail=reference
                )
    return HarborError("MANIFEST_UNKNOWN", detail=reference)


def _content(found: _Found) -> bytes:
    content = _contents.get(found.digest)
    if content is None:
        with connection.cursor() as cursor:
            cursor.execute(_CONTENT, [found.artifact_id])
            row = cursor.fetchone()
        if row is None:
            raise HarborError("MANIFEST_UNKNOWN", detail=found.digest)
        content = bytes(row[0])
        if len(content) <= CACHED_MAX_BYTES:
            _contents.put(found.digest, content, 3600)
    return content


def _matches(if_none_match: str, etag: str) -> bool:
    return bool(if_none_match) and (
        if_none_match.strip() == "*" or etag in [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    )


def _negotiate(found: _Found, accept: str) -> _Found:
    """A client that names image manifests but no index gets the linux/amd64 child of an index, as registry:2 does.

    One that names neither this type nor a wildcard is told so. Pulls by digest are never converted.
    """
    wanted = {part.partition(";")[0].strip().lower() for part in accept.split(",") if part.strip()}
    if not wanted or wanted & {"*/*", "application/*", found.media_type}:
        return found
    if found.media_type in mt.INDEXES:
        if wanted & mt.INDEXES:
            return found  # Docker's list and OCI's index are read alike
        if wanted & mt.IMAGES:
            return _amd64_child(found)
    elif wanted & mt.MANIFESTS:
        return found
    if wanted <= {"application/json", "text/html", "text/plain"} or not any(
        "manifest" in kind or "index" in kind for kind in wanted
    ):
        return found
    raise HarborError("MANIFEST_UNKNOWN", f"the manifest is {found.media_type}, which the Accept header does not allow")


def _amd64_child(index: _Found) -> _Found:
    with connection.cursor() as cursor:
        cursor.execute(_AMD64_CHILD, [index.artifact_id])
        rows = cursor.fetchall()
    for *columns, platform, child_digest in rows:
        value = json.loads(platform) if isinstance(platform, str) else platform  # text on both databases' raw cursors
        if value.get("os") == "linux" and value.get("architecture") == "amd64":
            if columns[0] is None:
                raise _AbsentChild(child_digest)
            child = _Found(*columns)
            return _Found(
                child.artifact_id, child.digest, child.media_type, child.repository_id, child.project_id, index.tag_id
            )
    raise HarborError(
        "MANIFEST_UNKNOWN", "the tag is an index without linux/amd64, and the Accept header does not allow indexes"
    )
