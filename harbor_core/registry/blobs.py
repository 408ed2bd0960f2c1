"""Blobs as core sees them (end-2, end-10): what the gateway did not find on its volume, and deletes."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response

from auth.keys import registry_token
from harbor_core.lib import metrics, names, storage
from harbor_core.lib.errors import HarborError
from harbor_core.registry import proxied
from harbor_core.registry.authorize import authorize
from harbor_core.registry.base import refuse_changes
from projects.services import blobs

PRESIGNED_SECONDS = 1200


def _digest(digest: str) -> str:
    if not names.is_digest(digest):
        raise HarborError("DIGEST_INVALID", "digest must be sha256: and 64 hexadecimal digits", detail=digest[:200])
    return digest


def get(request: HttpRequest, name: str, digest: str) -> HttpResponseBase:
    """GET and HEAD. The database is asked first; storage has the last word (a volume may lag behind, or be S3). What a
    proxy project does not have comes from its upstream."""
    caller = authorize(request.META, name, "pull")
    _digest(digest)
    head = request.method == "HEAD"
    size = _size(name, digest, head)
    if size is None and caller.project.proxy:
        answer = proxied.blob(request, caller, name, digest)
        if answer is not None:
            return answer if answer.status_code == 301 else _describe(answer, digest)
        size = _size(name, digest, head)
    elif caller.project.proxy:
        metrics.proxied("blob", "hit")
    if size is None:
        raise HarborError("BLOB_UNKNOWN", detail=digest)
    # registry:2 cannot be trusted with a failed If-Match: it announces a length and sends no body.
    if "If-Match" in request.headers or "If-None-Match" in request.headers:
        unchanged = get_conditional_response(request, etag=f'"{digest}"')
        if unchanged is not None:
            return _describe(unchanged, digest)
    if head:
        return _describe(HttpResponse(headers={"Content-Length": str(size), "Accept-Ranges": "bytes"}), digest)
    url = storage.backend().presigned_url(storage.blob_path(digest), PRESIGNED_SECONDS)
    if settings.STORAGE_REDIRECT and url:
        response = _describe(HttpResponse(status=307, headers={"Location": url}), digest)
        response["Cache-Control"] = "no-store"  # the URL expires
        return response
    # The registry describes what it sends; the gateway would carry ours along and double them.
    accelerated = {
        "X-Accel-Redirect": f"/_registry/v2/{name}/blobs/{digest}",
        "X-Registry-Token": registry_token((name, ("pull",))),
    }
    return HttpResponse(content_type="application/octet-stream", headers=accelerated)


def _size(name: str, digest: str, head: bool) -> int | None:
    """Bytes of a blob that is here; a HEAD is a promise, so the blob is touched."""
    known = blobs.touch(name, digest) if head else blobs.find(name, digest) is not None
    return storage.linked_sizes(name, [digest])[digest] if known else None


def _describe(response: HttpResponseBase, digest: str) -> HttpResponseBase:
    response["Content-Type"] = "application/octet-stream"
    response["Docker-Content-Digest"] = digest
    response["ETag"] = f'"{digest}"'
    response["Cache-Control"] = "max-age=31536000"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def delete(request: HttpRequest, name: str, digest: str) -> HttpResponse:
    """202: the repository no longer has the blob. DENIED while a manifest of the repository names it."""
    authorize(request.META, name, "delete")
    refuse_changes()
    blobs.delete(name, _digest(digest))
    return HttpResponse(status=202)
